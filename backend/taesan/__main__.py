"""`python -m taesan`."""

if __name__ == "__main__":  # the intake's process reads this file too, and needs no commands
    from taesan.cli import main

    main()
