"""Who goes next: one policy per module, all behind the `Strategy` protocol."""
