"""`python -m taesan` is the `taesan` command."""

from taesan.cli import main

main()
