"""``python -m pinngate`` is the command line."""

from pinngate.cli import main

main()
