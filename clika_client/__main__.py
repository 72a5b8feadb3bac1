"""`python -m clika_client`: the `clika` command where its script is not on the path."""

from clika_client.cli import main

main()
