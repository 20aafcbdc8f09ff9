"""``bayesmix compare``: both fits of a model side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayesmix.errors import SpecError
from bayesmix.present.cli import completion
from bayesmix.present.cli import options as o
from bayesmix.present.cli.application import examples, leave
from bayesmix.present.cli.compare_all import compare_every
from bayesmix.present.cli.option_records import Drawing, Estimating, Options, Printing
from bayesmix.present.cli.output import of_fit, of_model, print_csv, print_json, say
from bayesmix.present.cli.request import check_estimate, read
from bayesmix.present.cli.steps import check_output, compared, estimated, sampled, sampling, write_report

if TYPE_CHECKING:
    from bayesmix.comparison import Comparison
    from bayesmix.present.cli.option_records import Form
    from bayesmix.present.cli.request import Request
    from bayesmix.results.comparison.document_check import Verdict

EPILOG = examples(
    "bayesmix compare esoph_lmm",
    'bayesmix compare "y ~ x + (x | g)" my.csv --seed 1 --report my.html',
    "bayesmix compare models/esoph_poisson.toml --draws 2000",
    "bayesmix compare esoph_lmm --priors brms --json > esoph.json",
    "bayesmix compare --all --checkpoint lines.jsonl",
)


NAMES = ("estimate.zarr", "posterior.zarr")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(compare)


def compare(  # noqa: PLR0913 - beside records of options
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help=o.MODEL, autocompletion=completion.model_files)
    ] = None,
    data: o.DataText = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Every model file that comes with bayesmix, one line each.")
    ] = False,
    options: Options,
    estimating: Estimating,
    sampler: o.Sampler = "auto",
    drawing: Drawing,
    causes: o.Causes = True,
    groups: o.Groups = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Keep both fits: FOLDER/estimate.zarr, posterior.zarr.", rich_help_panel="Output"
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --all: keep finished lines; what was stopped goes on."),
    ] = None,
    report_to: o.ReportTo = None,
    printing: Printing,
) -> None:
    """Fit a model both ways, say why they differ, and hold the estimate against the figures of its document."""
    form, progress = printing.form, printing.progress
    how, chosen = sampling(drawing, sampler), estimating.chosen()
    if every:
        given = {"MODEL": model, "--report": report_to, "--save": save, "--groups": groups, "a method": chosen}
        _check_alone({**given, "an option of a model": options.given or drawing.priors})
        leave(converged=compare_every(how, form, checkpoint=checkpoint, progress=progress))
        return
    if checkpoint is not None:
        raise SpecError("--checkpoint of compare goes with --all; one posterior is kept by bayesmix fit --checkpoint.")
    if model is None:
        raise SpecError(
            "Which model? Give a model file, or a formula and data, or --all; `bayesmix models` lists files."
        )
    check_estimate(chosen)
    request = read(model, data, options, drawing.priors)
    check_output(report_to)
    _check_folder(save)
    estimate = estimated(request, chosen or request.method, progress=progress)
    if form == "text":
        say(f"{estimate.summary()}\n")  # something to read meanwhile
    posterior = sampled(request.model, how, progress=progress)
    comparison, verdict = compared(request, estimate, posterior, causes=causes, groups=groups, progress=progress)
    _print(request, comparison, verdict, form)
    _keep(save, comparison)
    if report_to is not None:
        write_report(request, comparison, verdict, report_to, progress=progress)
    leave(converged=verdict.converged)


def _print(request: Request, comparison: Comparison, verdict: Verdict, form: Form) -> None:
    """The posterior's summary and the comparison; the estimate's has been printed."""
    estimate, posterior = comparison.fits
    match form:
        case "json":
            fits = {"estimate": of_fit(estimate), "posterior": of_fit(posterior)}
            model = {"model": request.name, **of_model(request.model)}
            print_json({**model, **fits, **_of_comparison(comparison, verdict)})
        case "csv":
            print_csv(comparison.table)
        case "text":
            say(f"{posterior.summary()}\n\n{comparison}\n\n{verdict}")


def _keep(folder: Path | None, comparison: Comparison) -> None:
    """Save both fits."""
    if folder is not None:
        for name, fit in zip(NAMES, comparison.fits, strict=True):
            fit.save(folder / name)


def _check_folder(folder: Path | None) -> None:
    """Say that fits cannot be saved before the long part."""
    if folder is not None:
        from bayesmix.results.storage.fit_storage import check_target

        if not folder.absolute().parent.is_dir() or (folder.exists() and not folder.is_dir()):
            raise SpecError(f"The fits cannot be kept: `{folder}` is no folder, and cannot be made one.")
        folder.mkdir(exist_ok=True)
        for name in NAMES:
            check_target(folder / name, overwrite=False)


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
