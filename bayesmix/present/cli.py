"""The command line: results on standard output, progress and errors on standard error.

Exit status 0: fitted; 1: did not converge; 2: bad input; 130: interrupted. What a command needs is imported when it
runs, so that ``bayesmix --help`` is quick.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from bayesmix.errors import BayesmixError, BayesmixWarning, SpecError

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.data.model_file import ModelFile
    from bayesmix.model import Model
    from bayesmix.results.compare import Comparison
    from bayesmix.results.fit import Estimate, Posterior
    from bayesmix.results.verdict import Verdict

Form = Literal["text", "json", "csv"]

NOT_CONVERGED, BAD_INPUT, INTERRUPTED = 1, 2, 130
SAMPLERS = ("nuts", "marginal")


class Commands(TyperGroup):
    """Commands that report the errors of bayesmix as one message."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            with _short_warnings():
                return super().invoke(ctx)
        except BayesmixError as error:
            typer.echo(f"{type(error).__name__}: {error}", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line."""
    app(prog_name="bayesmix")


def _examples(*commands: str) -> str:
    return "\n\n".join(["Examples:", *commands])


@app.callback(
    epilog=_examples("bayesmix compare esoph_lmm", 'bayesmix fit "Reaction ~ Days + (Days | Subject)" sleepstudy')
)
def _root() -> None:
    """Hierarchical models from an lme4 formula: the posterior and the point estimate, side by side."""


# ---- options ----------------------------------------------------------------------------------------------------

ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name of a model file (see `bayesmix models`), or a path.")
]
Draws = Annotated[int, typer.Option(min=4, help="Draws of a chain, after warm-up.")]
Chains = Annotated[int, typer.Option(min=1, help="Independent chains.")]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same draws.")]
Causes = Annotated[
    bool, typer.Option("--causes/--no-causes", help="Say why the fits differ; refits generalized models.")
]
Progress = Annotated[bool, typer.Option("--progress/--no-progress", help="Show progress on standard error.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print the table of parameters as CSV instead of text.")]


# ---- commands ---------------------------------------------------------------------------------------------------


@app.command(
    epilog=_examples(
        "bayesmix compare esoph_lmm",
        "bayesmix compare models/esoph_poisson.toml --seed 1 --draws 2000",
        "bayesmix compare esoph_lmm --json > esoph.json",
        "bayesmix compare esoph_lmm --report esoph.html",
    )
)
def compare(
    model: ModelName,
    draws: Draws = 1000,
    chains: Chains = 4,
    seed: Seed = None,
    causes: Causes = True,
    progress: Progress = True,
    as_json: Json = False,
    as_csv: Csv = False,
    report_to: Annotated[Path | None, typer.Option("--report", help="Write a report too, one HTML file.")] = None,
) -> None:
    """Fit a model file both ways, and hold the estimate against the figures of its document."""
    from bayesmix.data.model_file import load_model_file
    from bayesmix.model import load_model

    form = _form(as_json, as_csv)
    file, built = load_model_file(model), load_model(model)
    _check_output(report_to)
    with _working(f"Estimating {file.name}", progress):
        estimate = built.estimate(file.method)
    if form == "text":
        typer.echo(f"{estimate.summary()}\n")
    posterior = _sample(built, draws, chains, seed, progress)
    comparison, verdict = _side_by_side(file, estimate, posterior, causes, progress)
    match form:
        case "json":
            fits = {"estimate": _of_estimate(estimate), "posterior": _of_posterior(posterior)}
            judged = {"reproduced": verdict.reproduced, "figures": verdict.table.to_dict("index")}
            compared = {"comparison": comparison.table.to_dict("index"), "verdict": judged}
            _print_json({"model": file.name, **_about(built), **fits, **compared})
        case "csv":
            typer.echo(comparison.table.to_csv(), nl=False)
        case "text":
            typer.echo(f"{posterior.summary()}\n\n{comparison}\n\n{verdict}")
    if report_to is not None:
        _write_report(file, comparison, verdict, report_to, progress)
    _exit(verdict.converged)


@app.command(epilog=_examples("bayesmix report esoph_lmm", "bayesmix report my_model.toml --output my.html --seed 1"))
def report(
    model: ModelName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; by default the model's name with .html.")
    ] = None,
    draws: Draws = 1000,
    chains: Chains = 4,
    seed: Seed = None,
    causes: Causes = True,
    progress: Progress = True,
) -> None:
    """Fit a model file both ways, and write one HTML file with tables and figures that needs no network."""
    from bayesmix.data.model_file import load_model_file
    from bayesmix.model import load_model

    file, built = load_model_file(model), load_model(model)
    target = output or Path(f"{file.name}.html")
    _check_output(target)
    with _working(f"Estimating {file.name}", progress):
        estimate = built.estimate(file.method)
    posterior = _sample(built, draws, chains, seed, progress)
    comparison, verdict = _side_by_side(file, estimate, posterior, causes, progress)
    _write_report(file, comparison, verdict, target, progress)
    typer.echo(str(target))
    _exit(verdict.converged)


@app.command(
    epilog=_examples(
        'bayesmix fit "Reaction ~ Days + (Days | Subject)" sleepstudy',
        'bayesmix fit "ncases ~ ncontrols + (1 | agegp)" cases.csv --family poisson',
        'bayesmix fit "cbind(incidence, size - incidence) ~ period + (1 | herd)" cbpp --family binomial --method agq',
        'bayesmix fit "y ~ x + (x | g)" my.csv --method nuts --priors "sd(g)=HalfNormal(2)" --priors "corr(g)=LKJ(1)"',
    )
)
def fit(  # noqa: PLR0913, PLR0917 - one argument an option
    formula: Annotated[str, typer.Argument(metavar="FORMULA", help="lme4's formula, in quotes.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="CSV or Parquet file, or a data set of `bayesmix data`.")],
    family: Annotated[
        str, typer.Option(help="gaussian, poisson, binomial, bernoulli, gamma or negbinomial.")
    ] = "gaussian",
    link: Annotated[str | None, typer.Option(help="Link; the family's usual one by default.")] = None,
    method: Annotated[
        str, typer.Option(help="reml, ml, laplace, agq; nuts, marginal; auto is reml for linear models, else laplace.")
    ] = "auto",
    points: Annotated[int, typer.Option(min=1, help="Quadrature points an effect, for agq.")] = 9,
    priors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PRIOR", help="A prior by name, for a posterior; as often as needed. `flat` for none."
        ),
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Column of prior weights, or of trials.")] = None,
    offset: Annotated[str | None, typer.Option(help="Column or expression added to the linear predictor.")] = None,
    draws: Draws = 1000,
    chains: Chains = 4,
    seed: Seed = None,
    progress: Progress = True,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Fit a formula to data and print the summary."""
    from bayesmix.model import Model

    form = _form(as_json, as_csv)
    method = method.lower()
    if priors and method not in SAMPLERS:
        raise SpecError(f"Priors belong to a posterior: use --method nuts with --priors, not --method {method}.")
    named = _read_priors(priors or [])
    model = Model(formula, _data(data), family, link, named, weights, offset, data_name=Path(data).name)
    if method in SAMPLERS:
        posterior = _sample(model, draws, chains, seed, progress, method=method)
        _report(model, posterior, _of_posterior(posterior) if form == "json" else {}, form)
        return
    with _working("Estimating", progress):
        estimate = model.estimate(_method(method, points))
    _report(model, estimate, _of_estimate(estimate) if form == "json" else {}, form)


@app.command()
def models() -> None:
    """List the model files that come with bayesmix."""
    from bayesmix.data.model_file import load_model_file, model_names

    files = [load_model_file(name) for name in model_names()]
    columns = ("name", "formula", "family", "data", "figures")
    _print_table(columns, [(f.name, f.formula, f.family, f.data_name, str(len(f.figures))) for f in files])


@app.command(name="data", epilog=_examples("bayesmix data", "bayesmix data esoph"))
def show_data(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A data set to show; all are listed without a name.")
    ] = None,
) -> None:
    """List the data sets that come with bayesmix, or show one."""
    from bayesmix.data.datasets import dataset_names, load_dataset

    if name is not None:
        _show(load_dataset(name), name)
        return
    frames = {known: load_dataset(known) for known in dataset_names()}
    rows = [(known, f"{len(frame)}", ", ".join(map(str, frame.columns))) for known, frame in frames.items()]
    _print_table(("name", "rows", "columns"), rows)


# ---- input ------------------------------------------------------------------------------------------------------


def _form(as_json: bool, as_csv: bool) -> Form:
    if as_json and as_csv:
        raise SpecError("Give either --json or --csv, not both.")
    return "json" if as_json else "csv" if as_csv else "text"


def _data(text: str) -> Any:
    """A path if there is such a file or the name has an ending, a data set otherwise."""
    from bayesmix.data.datasets import load_dataset

    return text if Path(text).suffix or Path(text).is_file() else load_dataset(text)


def _read_priors(texts: list[str]) -> str | Mapping[str, str] | None:
    """``["sd(g)=HalfNormal(2)"]`` as a dictionary; a single word is a preset."""
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    named = {}
    for text in texts:
        name, sign, prior = text.partition("=")
        if not sign:
            raise SpecError(f'Prior `{text}` has no name: write --priors "sd(g)=HalfNormal(2)".')
        named[name.strip()] = prior.strip()
    return named or None


def _check_output(path: Path | None) -> None:
    """Say that a file cannot be written before the long part."""
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        what = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise SpecError(f"The report cannot be written: `{path}` {what}.")


def _method(method: str, points: int) -> Any:
    from bayesmix.inference.estimate import Agq

    return Agq(points) if method == "agq" else method


# ---- work -------------------------------------------------------------------------------------------------------


def _sample(
    model: Model, draws: int, chains: int, seed: int | None, progress: bool, *, method: str = "auto"
) -> Posterior:
    _ = model.priors  # what is wrong with them is an error before the long part
    if progress:
        typer.echo("Sampling ...", err=True)
    return model.sample(draws=draws, chains=chains, seed=seed, method=method, progress=progress)


def _side_by_side(
    file: ModelFile, estimate: Estimate, posterior: Posterior, causes: bool | None, progress: bool
) -> tuple[Comparison, Verdict]:
    from bayesmix.results.compare import compare as side_by_side
    from bayesmix.results.verdict import judge

    with _working("Comparing", progress):
        return side_by_side(posterior, estimate, causes=causes), judge(file.figures, estimate, posterior)


def _write_report(file: ModelFile, comparison: Comparison, verdict: Verdict, path: Path, progress: bool) -> None:
    from bayesmix.present.report import report as write

    with _working(f"Writing {path}", progress):
        write(comparison, path, title=file.description or file.name, verdict=verdict, units=file.data.units)


@contextmanager
def _working(what: str, progress: bool) -> Iterator[None]:
    """Show on standard error that something is going on, where someone is looking."""
    if not (progress and sys.stderr.isatty()):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{what} ..."):
        yield


@contextmanager
def _short_warnings() -> Iterator[None]:
    """Show the warnings of bayesmix as one line each, and those of others not at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", BayesmixWarning)
        warnings.showwarning = lambda message, *_, **__: typer.echo(f"Warning: {message}", err=True)
        yield


def _exit(converged: bool) -> None:
    if not converged:
        raise typer.Exit(NOT_CONVERGED)


# ---- output -----------------------------------------------------------------------------------------------------


def _report(model: Model, fitted: Estimate | Posterior, described: Mapping[str, Any], form: Form) -> None:
    """Print a fit, and leave with its exit status."""
    match form:
        case "json":
            _print_json({**_about(model), "fit": described})
        case "csv":
            typer.echo(fitted.parameters().to_csv(), nl=False)
        case "text":
            typer.echo(str(fitted.summary()))
    _exit(fitted.converged)


def _about(model: Model) -> dict[str, Any]:
    spec = model.spec
    about = {"formula": spec.formula.text, "family": spec.family.name, "link": spec.link.name}
    return {**about, "data": model.data_name, "n_obs": len(model.design.y)}


def _of_estimate(fitted: Estimate) -> dict[str, Any]:
    return {
        "method": fitted.method,
        "converged": fitted.converged,
        "status": fitted.point.optimum.status.value,
        "singular": fitted.singular,
        "criterion": fitted.criterion,
        "df": fitted.df,
        **_tables(fitted),
    }


def _of_posterior(fitted: Posterior) -> dict[str, Any]:
    chains, draws = fitted.values.lead
    return {
        "method": fitted.method,
        "converged": fitted.converged,
        "chains": chains,
        "draws": draws,
        "divergences": fitted.divergences,
        "certificate": dict(fitted.draws.certificate),
        "notes": list(fitted.draws.notes),
        **_tables(fitted),
    }


def _tables(fitted: Estimate | Posterior) -> dict[str, Any]:
    coef = {group: table.to_dict("index") for group, table in fitted.coef().items()}
    return {"parameters": fitted.parameters().to_dict("index"), "coef": coef}


def _print_json(content: Mapping[str, Any]) -> None:
    import json

    typer.echo(json.dumps(_plain(content), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    """Numbers that JSON has: no NaN, no NumPy types."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from bayesmix.results.typography import table_lines

    cells = [(f"  {heading}", [f"  {row[j]}" for row in rows]) for j, heading in enumerate(columns) if j]
    lines = table_lines([row[0] for row in rows], cells, left=True, page=1000)
    typer.echo("\n".join(lines))


def _show(frame: pd.DataFrame, name: str) -> None:
    lines = [f"{name}: {len(frame)} rows", ""]
    lines += [f"  {column}  {_kind(dtype)}" for column, dtype in frame.dtypes.items()]
    lines += [f"\n{key}: {frame.attrs[key]}" for key in ("source", "licence", "attribution") if key in frame.attrs]
    typer.echo("\n".join([*lines, "", frame.head().to_string(index=False)]))


def _kind(dtype: Any) -> str:
    categories = getattr(dtype, "categories", None)
    if categories is None:
        return str(dtype)
    return f"{'ordered ' if dtype.ordered else ''}factor: {_levels(list(categories))}"


def _levels(levels: list[str]) -> str:
    shown = ", ".join(map(str, levels[:8]))
    return f"{shown}, ... ({len(levels)} levels)" if len(levels) > 8 else shown


if __name__ == "__main__":
    main()
