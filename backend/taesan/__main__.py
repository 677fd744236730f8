"""`python -m taesan`."""

from taesan.cli import main

if __name__ == "__main__":  # the intake's processes import it too
    main()
