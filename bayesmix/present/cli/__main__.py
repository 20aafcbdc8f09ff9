"""``python -m bayesmix.present.cli``: the command line where its script is not on the path."""

from bayesmix.present.cli import main

main()
