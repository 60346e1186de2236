"""The real arena: a sacrificial child process with real threads and processes.

`launch`, `child`, `stage`, `perform`, `ledger`, `recorder`, `census`, `probe` and `puppet` run in the child
and import the standard library only; `arena`, `custody`, `evidence`, `gatehouse` and `journal` run on our
side.
"""
