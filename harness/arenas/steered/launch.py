"""The steered child's main module; like the real arena's, it is tiny and guarded."""

if __name__ == "__main__":
    from harness.arenas.steered.hooks import install

    install()

    from harness.arenas.steered.host import main

    main()
