"""``bayesmix compare``: both fits of a model side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayesmix.errors import SpecError
from bayesmix.present.cli import options as o
from bayesmix.present.cli.application import examples, leave
from bayesmix.present.cli.compare_all import compare_every
from bayesmix.present.cli.output import form_of, of_estimate, of_model, of_posterior, print_csv, print_json, say
from bayesmix.present.cli.request import Options, check_estimate, method_of, read
from bayesmix.present.cli.steps import check_output, compared, estimated, sampled, sampling, write_report

if TYPE_CHECKING:
    from bayesmix.comparison import Comparison
    from bayesmix.results.comparison.document_check import Verdict

EPILOG = examples(
    "bayesmix compare esoph_lmm",
    'bayesmix compare "y ~ x + (x | g)" my.csv --seed 1 --report my.html',
    "bayesmix compare models/esoph_poisson.toml --draws 2000",
    "bayesmix compare esoph_lmm --priors brms --json > esoph.json",
    "bayesmix compare --all",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(compare)


def compare(  # noqa: PLR0913, PLR0917 - one argument an option
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help=o.MODEL)] = None,
    data: o.DataText = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every model file that comes with bayesmix, one line each.")
    ] = False,
    formula: o.Formula = None,
    family: o.Family = None,
    link: o.Link = None,
    rescor: o.Rescor = False,
    weights: o.Weights = None,
    offset: o.Offset = None,
    contrasts: o.Contrasts = None,
    start: o.Start = None,
    data2: o.Data2 = None,
    where: o.Where = None,
    sep: o.Sep = None,
    decimal: o.Decimal = None,
    encoding: o.Encoding = None,
    na: o.Na = None,
    method: o.Method = None,
    reml: o.Reml = False,
    ml: o.Ml = False,
    agq: o.Agq = None,
    sampler: o.Sampler = "auto",
    priors: o.Priors = None,
    draws: o.Draws = None,
    chains: o.Chains = None,
    seed: o.Seed = None,
    causes: o.Causes = True,
    report_to: o.ReportTo = None,
    as_json: o.Json = False,
    as_csv: o.Csv = False,
    progress: o.Progress = True,
) -> None:
    """Fit a model both ways, say why they differ, and hold the estimate against the figures of its document."""
    form = form_of(as_json=as_json, as_csv=as_csv)
    how = sampling(draws, chains, seed, sampler)
    chosen = method_of(method, reml=reml, ml=ml, agq=agq, default="")
    options = Options(
        formula,
        family,
        link,
        rescor,
        weights,
        offset,
        contrasts,
        start,
        priors,
        sep,
        decimal,
        encoding,
        na,
        data2,
        where,
    )
    if every:
        _check_alone({"MODEL": model, "--report": report_to, "a method": chosen, "an option of a model": options.given})
        leave(converged=compare_every(how, form, progress=progress))
        return
    if model is None:
        raise SpecError(
            "Which model? Give a model file, or a formula and data, or --all; `bayesmix models` lists files."
        )
    check_estimate(chosen)
    request = read(model, data, options)
    check_output(report_to)
    estimate = estimated(request, chosen or request.method, progress=progress)
    if form == "text":
        say(f"{estimate.summary()}\n")  # something to read meanwhile
    posterior = sampled(request.model, how, progress=progress)
    comparison, verdict = compared(request, estimate, posterior, causes=causes, progress=progress)
    match form:
        case "json":
            fits = {"estimate": of_estimate(estimate), "posterior": of_posterior(posterior)}
            print_json(
                {"model": request.name, **of_model(request.model), **fits, **_of_comparison(comparison, verdict)}
            )
        case "csv":
            print_csv(comparison.table)
        case "text":
            say(f"{posterior.summary()}\n\n{comparison}\n\n{verdict}")
    if report_to is not None:
        write_report(request, comparison, verdict, report_to, progress=progress)
    leave(converged=verdict.converged)


def _check_alone(given: dict[str, Any]) -> None:
    """Refuse what --all has no use for."""
    for name, value in given.items():
        if value:
            raise SpecError(f"--all compares every model file as it is: leave {name} out.")


def _of_comparison(comparison: Comparison, verdict: Verdict) -> dict[str, Any]:
    """The table, the causes, and the printed figures beside ours."""
    judged = {
        "reproduced": verdict.reproduced if verdict.checks else None,
        "converged": verdict.converged,
        "figures": verdict.table.to_dict("index"),
    }
    why = comparison.sentences if comparison.decompositions else {}
    return {"comparison": comparison.table.to_dict("index"), "why": why, "verdict": judged}
