"""``bayesmix resume``: go on with a posterior that was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayesmix.present.cli import options as o
from bayesmix.present.cli.application import examples, leave
from bayesmix.present.cli.fit import print_fit
from bayesmix.present.cli.output import form_of

EPILOG = examples("bayesmix resume fit.zarr", "bayesmix resume fit.zarr --csv > parameters.csv")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(resume)


def resume(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="What --checkpoint was.", show_default=False)],
    as_json: o.Json = False,
    as_csv: o.Csv = False,
    progress: o.Progress = True,
) -> None:
    """Go on with a posterior that was stopped, and print its summary; of a finished one only that."""
    from bayesmix.stored import resume as go_on

    form = form_of(as_json=as_json, as_csv=as_csv)
    if progress:
        typer.echo("Sampling ...", err=True)
    fitted = go_on(path, progress=progress)
    print_fit(fitted, form)
    leave(converged=fitted.converged)
