"""``python -m bayesmix``: the command line where its script is not on the path."""

from bayesmix.present.cli import main

main()
