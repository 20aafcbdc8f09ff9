"""``bayesmix power``: power and precision by simulation, over numbers of groups and rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bayesmix.errors import SpecError
from bayesmix.present.cli import options as o
from bayesmix.present.cli.application import examples
from bayesmix.present.cli.option_records import Estimating, Options, Printing
from bayesmix.present.cli.output import print_csv, print_json, say
from bayesmix.present.cli.request import check_estimate, read
from bayesmix.present.cli.steps import check_output, estimated

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from bayesmix.present.cli.option_records import Form
    from bayesmix.studies.power import Power

EPILOG = examples(
    'bayesmix power "Reaction ~ Days + (Days | Subject)" sleepstudy --effect Days=5 --groups Subject=10,20,40',
    'bayesmix power "y ~ treated + (1 | clinic)" pilot.csv --effect treated=0.5 --groups clinic=10,20 --rows 5,20',
    "bayesmix power esoph_lmm --effect ncontrols=0.1 --groups agegp=6,12,24 --csv > power.csv",
    'bayesmix power "y ~ x + (x | g)" my.csv --test x --replicates 2000 --checkpoint power.jsonl --figure power.png',
)
_STUDY = "Study"


@dataclass(frozen=True, slots=True)
class Study:
    """What is drawn and tested, how often, of which sizes."""

    effect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="A parameter of the data that are drawn, in place of the estimate; repeatable.",
            rich_help_panel=_STUDY,
        ),
    ] = None
    groups: Annotated[
        list[str] | None,
        typer.Option(metavar="FACTOR=N,N", help="Numbers of its levels; repeatable.", rich_help_panel=_STUDY),
    ] = None
    rows: Annotated[
        str | None,
        typer.Option(metavar="[FACTOR=]N,N", help="Numbers of rows in each level.", rich_help_panel=_STUDY),
    ] = None
    test: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help='Fixed effect, term, or "a > b"; by default that of --effect.', rich_help_panel=_STUDY
        ),
    ] = None
    df: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Degrees of freedom: satterthwaite, asymptotic.", rich_help_panel=_STUDY),
    ] = None
    statistic: Annotated[
        str, typer.Option(metavar="NAME", help="wald, or ratio of likelihoods.", rich_help_panel=_STUDY)
    ] = "wald"
    alpha: Annotated[float, typer.Option(metavar="P", help="Level of the test.", rich_help_panel=_STUDY)] = 0.05
    wanted: Annotated[
        float, typer.Option("--power", metavar="P", help="The size of which is asked for.", rich_help_panel=_STUDY)
    ] = 0.8
    replicates: Annotated[
        int, typer.Option(min=2, metavar="N", help="Data sets of each size.", rich_help_panel=_STUDY)
    ] = 500
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="The same seed gives the same results.", rich_help_panel=_STUDY)
    ] = 1
    processes: Annotated[
        int, typer.Option(min=1, metavar="N", help="Fit on so many processes.", rich_help_panel=_STUDY)
    ] = 1
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep what is finished; a study that was stopped goes on.", rich_help_panel=_STUDY
        ),
    ] = None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(power)


def power(  # noqa: PLR0913 - beside records of options
    model: o.ModelText,
    data: o.DataText = None,
    *,
    study: Study,
    options: Options,
    estimating: Estimating,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the curves: .png, .svg, .pdf.", rich_help_panel="Output")
    ] = None,
    printing: Printing,
) -> None:
    """Find the power of a test, and the groups that it takes, by simulation from an estimate."""
    form, progress, typed = printing.form, printing.progress, estimating.chosen()
    check_estimate(typed or "auto")
    effects, levels, inside = _effects(study.effect or ()), _levels(study.groups or ()), _inside(study.rows)
    check_output(figure, "figure")
    request = read(model, data, options)
    fit = estimated(request, typed or request.method, progress=progress)
    from bayesmix.studies.power import power as simulate

    with _processes(study.processes) as executor:
        found = simulate(
            fit,
            effect=effects,
            n=levels or None,
            rows=inside,
            test=study.test,
            df=study.df,
            statistic=study.statistic,
            alpha=study.alpha,
            replicates=study.replicates,
            seed=study.seed,
            executor=executor,
            progress=progress,
            checkpoint=study.checkpoint,
        )
    _print(found, study.wanted, form)
    if figure is not None:
        from bayesmix.present.plots.studies import power as draw

        draw(found, wanted=study.wanted).savefig(figure)


def _effects(texts: Sequence[str]) -> dict[str, float]:
    """``["Days=5", "sd(Subject, Days)=6"]`` as a dictionary."""
    found = {}
    for text in texts:
        name, sign, value = text.rpartition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            sign = ""
        if not sign:
            raise SpecError(f'--effect `{text}` is not a name and a number: write --effect "Days=5".')
    return found


def _levels(texts: Sequence[str]) -> dict[str, list[int]]:
    """``["Subject=10,20"]`` as a dictionary."""
    found = {}
    for text in texts:
        name, sign, values = text.rpartition("=")
        if not sign:
            raise SpecError(f"--groups `{text}` has no grouping factor: write --groups Subject=10,20,40.")
        found[name.strip()] = _numbers(values, f"--groups {text}")
    return found


def _inside(text: str | None) -> list[int] | dict[str, list[int]] | None:
    """``"5,10"`` as numbers, ``"Subject=5,10"`` as those of a factor."""
    if text is None:
        return None
    name, sign, values = text.rpartition("=")
    numbers = _numbers(values, f"--rows {text}")
    return {name.strip(): numbers} if sign else numbers


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SpecError(f"{option}: whole numbers between commas are needed, as in 10,20,40.") from None


@contextmanager
def _processes(count: int) -> Iterator[Executor | None]:
    """Several processes; None for this one."""
    if count == 1:
        yield None
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        yield pool


def _print(found: Power, wanted: float, form: Form) -> None:
    match form:
        case "json":
            rows = found.table.reset_index().to_dict("records")
            needed = found.needed(wanted).to_dict("records") if len(rows) > 1 else []
            words = {"hypothesis": found.hypothesis, "by": found.words, "data": found.source, "alpha": found.alpha}
            print_json({**words, "table": rows, "power": wanted, "needed": needed})
        case "csv":
            print_csv(found.table.reset_index() if None not in found.table.index.names else found.table)
        case "text":
            say(found.in_words(wanted))
