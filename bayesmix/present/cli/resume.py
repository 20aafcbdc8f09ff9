"""``bayesmix resume``: go on with a posterior that was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayesmix.present.cli.application import examples, leave
from bayesmix.present.cli.fit import print_fit
from bayesmix.present.cli.option_records import Printing

EPILOG = examples("bayesmix resume fit.zarr", "bayesmix resume fit.zarr --csv > parameters.csv")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(resume)


def resume(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="What --checkpoint was.", show_default=False)],
    *,
    printing: Printing,
) -> None:
    """Go on with a posterior that was stopped, and print its summary; of a finished one only that."""
    from bayesmix.stored import resume as go_on

    form = printing.form
    if printing.progress:
        typer.echo("Sampling ...", err=True)
    fitted = go_on(path, progress=printing.progress)
    print_fit(fitted, form)
    leave(converged=fitted.converged)
