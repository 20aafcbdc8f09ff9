"""``bayesmix anova``: tests of the terms of an estimate."""

from __future__ import annotations

from typing import Annotated

import typer

from bayesmix.errors import SpecError
from bayesmix.present.cli import options as o
from bayesmix.present.cli.application import examples, leave
from bayesmix.present.cli.option_records import AnyMethod, Options, Printing
from bayesmix.present.cli.output import of_model, print_csv, print_json, say
from bayesmix.present.cli.request import is_sampler, read
from bayesmix.present.cli.steps import estimated

EPILOG = examples(
    'bayesmix anova "Reaction ~ Days + (Days | Subject)" sleepstudy',
    'bayesmix anova "angle ~ recipe * temperature + (1 | recipe:replicate)" cake --type 2 --df kenward-roger',
    'bayesmix anova "TICKS ~ YEAR + cHEIGHT + (1 | BROOD)" grouseticks --family poisson --json',
)
PANEL = "Tests"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(anova)


def anova(  # noqa: PLR0913 - beside records of options
    model: o.ModelText,
    data: o.DataText = None,
    *,
    options: Options,
    estimating: AnyMethod,
    kind: Annotated[
        int,
        typer.Option("--type", metavar="1|2|3", help="Sequential, marginal, all cells alike.", rich_help_panel=PANEL),
    ] = 3,
    df: Annotated[
        str | None, typer.Option(help="satterthwaite, kenward-roger or asymptotic.", rich_help_panel=PANEL)
    ] = None,
    printing: Printing,
) -> None:
    """Test the terms of a model, each as a whole, by its estimate."""
    from bayesmix.results.criticism.anova import anova as tests_of_terms

    form, typed = printing.form, estimating.chosen()
    if is_sampler(typed):
        raise SpecError(f"anova tests the terms of an estimate; --method {typed} draws from a posterior: leave it out.")
    request = read(model, data, options)
    fitted = estimated(request, typed or request.method, progress=printing.progress)
    table = tests_of_terms(fitted, type=kind, df=df)  # type: ignore[arg-type] # checked there
    match form:
        case "json":
            print_json({**of_model(request.model), "anova": table.to_dict("index")})
        case "csv":
            print_csv(table)
        case "text":
            say(table)
    leave(converged=fitted.converged)
