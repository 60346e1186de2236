"""The child's main module. A spawned worker imports it again, so it is tiny and guarded."""

if __name__ == "__main__":
    from harness.arenas.real.child import main

    main()
