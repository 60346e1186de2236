"""The specification as pure functions: no threads, no clock, no executor."""
