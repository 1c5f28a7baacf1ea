"""`python -m pbtbench`: the command line."""

from pbtbench.cli import main

main()
