"""``bayesmix code``: the model in another package's words."""

from __future__ import annotations

from typing import Annotated

import typer

from bayesmix.present.cli import options as o
from bayesmix.present.cli.application import examples
from bayesmix.present.cli.option_records import Options
from bayesmix.present.cli.output import say
from bayesmix.present.cli.request import read

EPILOG = examples(
    'bayesmix code "Reaction ~ Days + (Days | Subject)" sleepstudy --to lme4',
    'bayesmix code "y ~ x + (x | g)" my.csv --priors "sd(g)=HalfNormal(2)" --to brms',
    "bayesmix code esoph_poisson --to glmmTMB",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(code)


def code(
    model: o.ModelText,
    data: o.DataText = None,
    *,
    options: Options,
    priors: o.Priors = None,
    to: Annotated[
        str,
        typer.Option(metavar="PACKAGE", help="lme4, glmmTMB, brms, bambi or pymc.", rich_help_panel="Output"),
    ] = "lme4",
) -> None:
    """Print the same model as code of lme4, glmmTMB, brms, bambi or PyMC, or what that package lacks."""
    say(read(model, data, options, priors).model.code(to))
