"""`python -m bridge` is `consilium`."""

from bridge.cli import main

main()
