"""The command line: results on standard output; progress, warnings and errors on standard error.

Exit status 0: fitted; 1: did not converge; 2: bad input, or no room for the output; 3: a bug in bayesmix; 130:
interrupted; 141: nobody read on. What a command needs is imported when it runs, so that ``bayesmix --help`` is quick.
"""

from __future__ import annotations

import io
import sys
import traceback

import typer

from bayesmix.present.cli import anova, catalogue, code, compare, fit, power, report, resume
from bayesmix.present.cli.application import BUG, app

__all__ = ["app", "main"]

for commands in (fit, resume, anova, compare, power, report, code, catalogue):  # in the order of the help
    commands.register(app)


def _speak_utf8() -> None:
    """Print other letters than ASCII, and the bytes of file names, where the locale (`LC_ALL=C`) knows ASCII only."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() in {"ascii", "ansi_x3.4-1968", "us-ascii"}:
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def main() -> None:
    """Run the command line."""
    _speak_utf8()
    try:
        app(prog_name="bayesmix")
    except Exception:  # whatever is foreseen has been reported by now
        typer.echo(f"{traceback.format_exc()}\nThis is a bug in bayesmix. Please report it with this text.", err=True)
        sys.exit(BUG)
