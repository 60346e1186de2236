"""Where programs come from: Hypothesis state machines that append operations and consult the model only."""
