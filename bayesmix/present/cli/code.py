"""``bayesmix code``: the model in another package's words."""

from __future__ import annotations

from typing import Annotated

import typer

from bayesmix.present.cli import options as o
from bayesmix.present.cli.application import examples
from bayesmix.present.cli.output import say
from bayesmix.present.cli.request import Options, read

EPILOG = examples(
    'bayesmix code "Reaction ~ Days + (Days | Subject)" sleepstudy --to lme4',
    'bayesmix code "y ~ x + (x | g)" my.csv --priors "sd(g)=HalfNormal(2)" --to brms',
    "bayesmix code esoph_poisson --to glmmTMB",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(code)


def code(  # noqa: PLR0913, PLR0917 - one argument an option
    model: o.ModelText,
    data: o.DataText = None,
    to: Annotated[
        str,
        typer.Option(metavar="PACKAGE", help="lme4, glmmTMB, brms, bambi or pymc.", rich_help_panel="Output"),
    ] = "lme4",
    formula: o.Formula = None,
    family: o.Family = None,
    link: o.Link = None,
    rescor: o.Rescor = False,
    weights: o.Weights = None,
    offset: o.Offset = None,
    contrasts: o.Contrasts = None,
    start: o.Start = None,
    data2: o.Data2 = None,
    sep: o.Sep = None,
    decimal: o.Decimal = None,
    encoding: o.Encoding = None,
    na: o.Na = None,
    priors: o.Priors = None,
) -> None:
    """Print the same model as code of lme4, glmmTMB, brms, bambi or PyMC, or what that package lacks."""
    say(read(model, data, Options.of(locals())).model.code(to))
