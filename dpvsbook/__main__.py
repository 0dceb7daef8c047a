"""`python -m dpvsbook`."""

from dpvsbook.cli import main

main()
