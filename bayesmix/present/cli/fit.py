"""``bayesmix fit``: one fit, an estimate or a posterior."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayesmix.present.cli import options as o
from bayesmix.present.cli.application import examples, leave
from bayesmix.present.cli.option_records import AnyMethod, Drawing, Options, Printing
from bayesmix.present.cli.output import of_estimate, of_model, of_posterior, print_csv, print_json, say
from bayesmix.present.cli.request import check_method, is_sampler, read
from bayesmix.present.cli.steps import estimated, sampled, sampling

if TYPE_CHECKING:
    from bayesmix.fit import Estimate, Posterior
    from bayesmix.present.cli.option_records import Form

EPILOG = examples(
    'bayesmix fit "Reaction ~ Days + (Days | Subject)" sleepstudy',
    'bayesmix fit "y ~ x + (x | g)" my.csv --ml --csv > parameters.csv',
    'bayesmix fit "ncases ~ ncontrols + (1 | agegp)" cases.csv --family poisson --agq 9',
    'bayesmix fit "cbind(incidence, size - incidence) ~ period + (1 | herd)" cbpp --family binomial --json',
    'bayesmix fit "y ~ x + (x | g)" my.csv --posterior --priors "sd(g)=HalfNormal(2)" --seed 1 --save fit.zarr',
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(fit)


def fit(  # noqa: PLR0913 - beside records of options
    model: o.ModelText,
    data: o.DataText = None,
    *,
    options: Options,
    estimating: AnyMethod,
    posterior: o.Posterior = False,
    drawing: Drawing,
    save: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help='Keep the fit: bmx.load("fit.zarr") reads it.', rich_help_panel="Output"),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Keep draws as they come, and the fit: `bayesmix resume` goes on with a run that was stopped.",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a fit that was saved there.", rich_help_panel="Output")
    ] = False,
    printing: Printing,
) -> None:
    """Fit one model, by estimate or by posterior, and print the summary."""
    form, progress = printing.form, printing.progress
    typed = estimating.chosen(posterior=posterior)
    check_method(typed or "auto", drawing.given + ["checkpoint"] * (checkpoint is not None))
    request = read(model, data, options, drawing.priors)
    _check_target(save, overwrite)
    if is_sampler(typed):
        how = sampling(drawing, "auto" if typed == "posterior" else typed)
        fitted: Estimate | Posterior = sampled(request.model, how, checkpoint=checkpoint, progress=progress)
    else:
        fitted = estimated(request, typed or request.method, progress=progress)
    if save is not None:
        fitted.save(save, overwrite=overwrite)
    print_fit(fitted, form)
    leave(converged=fitted.converged)


def _check_target(path: Path | None, overwrite: bool) -> None:
    """Say that a fit cannot be saved before the long part."""
    if path is not None:
        from bayesmix.results.storage.fit_storage import check_target

        check_target(path, overwrite=overwrite)


def print_fit(fitted: Estimate | Posterior, form: Form) -> None:
    """The summary of a fit, or its numbers."""
    from bayesmix.fit import Posterior

    match form:
        case "json":
            described = of_posterior(fitted) if isinstance(fitted, Posterior) else of_estimate(fitted)
            print_json({**of_model(fitted.fitted_model), "fit": described})
        case "csv":
            print_csv(fitted.parameters())
        case "text":
            say(fitted.summary())
