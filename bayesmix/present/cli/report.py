"""``bayesmix report``: both fits of a model as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bayesmix.present.cli import options as o
from bayesmix.present.cli.application import examples, leave
from bayesmix.present.cli.option_records import Drawing, Estimating, Options
from bayesmix.present.cli.output import say
from bayesmix.present.cli.request import check_estimate, read
from bayesmix.present.cli.steps import check_output, compared, estimated, sampled, sampling, write_report

EPILOG = examples(
    "bayesmix report esoph_lmm",
    'bayesmix report "y ~ x + (x | g)" my.csv --output my.html --seed 1',
    "bayesmix report my_model.toml --draws 4000",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(report)


def report(  # noqa: PLR0913 - beside records of options
    model: o.ModelText,
    data: o.DataText = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write; by default the name of the model, or of the data, with .html.",
            rich_help_panel="Output",
        ),
    ] = None,
    *,
    options: Options,
    estimating: Estimating,
    sampler: o.Sampler = "auto",
    drawing: Drawing,
    causes: o.Causes = True,
    groups: o.Groups = False,
    progress: o.Progress = True,
) -> None:
    """Fit a model both ways, and write one HTML file with tables and figures that needs no network."""
    chosen = estimating.chosen()
    check_estimate(chosen)
    check_output(output)
    request = read(model, data, options, drawing.priors)
    target = output or Path(f"{request.name}.html")
    check_output(target)
    estimate = estimated(request, chosen or request.method, progress=progress)
    posterior = sampled(request.model, sampling(drawing, sampler), progress=progress)
    comparison, verdict = compared(request, estimate, posterior, causes=causes, groups=groups, progress=progress)
    write_report(request, comparison, verdict, target, progress=progress)
    say(target)
    leave(converged=verdict.converged)
