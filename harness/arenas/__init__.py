"""Where programs run: the only users of threads, clocks and processes."""
