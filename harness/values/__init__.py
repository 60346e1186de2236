"""The nouns: plain values without behaviour that has effects."""
