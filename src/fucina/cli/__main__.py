"""`python -m fucina.cli`."""

from fucina.cli.main import main

main()
