"""The simulated world: whoever goes next is a decision, so a race happens again on demand."""
