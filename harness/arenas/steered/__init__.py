"""The steered rung: real threads, locks and processes, made to go in the order of a simulated run."""
