"""``bayesmix compare --all``: every model file, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

from bayesmix.errors import BayesmixError
from bayesmix.parallel.progress import shown
from bayesmix.present.cli.application import described
from bayesmix.present.cli.output import print_csv, print_json, say
from bayesmix.present.cli.request import of_file
from bayesmix.present.cli.steps import Sampling, estimated, sampled

if TYPE_CHECKING:
    from pathlib import Path

    from bayesmix.present.cli.option_records import Form

HEADING = ("", "reproduced", "estimate", "posterior", "seconds")


@dataclass(frozen=True, slots=True)
class Line:
    """What became of a model file; None where it did not come so far."""

    model: str
    figures: int = 0  # printed in the document
    agree: int = 0
    known: int = 0  # differ for a known reason
    reproduced: bool | None = None
    estimate: str = ""
    estimate_converged: bool | None = None
    posterior: str = ""
    posterior_converged: bool | None = None
    few_draws: bool = False  # all that the posterior lacks
    max_r_hat: float | None = None
    min_ess: float | None = None
    divergences: int | None = None
    seconds: float = 0.0
    error: str = ""

    @property
    def converged(self) -> bool:
        """Whether both fits can be used."""
        return bool(self.estimate_converged and self.posterior_converged)


def compare_every(how: Sampling, form: Form, *, checkpoint: Path | None, progress: bool) -> bool:
    """Print a line for every model file; whether all converged.

    ``checkpoint``: file in which lines are kept, so that what was stopped goes on.
    """
    from bayesmix.data.model_file import model_names

    names = model_names()
    width = max(map(len, names))
    if form == "text":
        say(_columns(width, *HEADING))
    lines = []
    for line in _lines(names, how, checkpoint, progress):
        lines.append(line)
        if form == "text":
            say(_text(line, width))
    _print(lines, form)
    return all(line.converged for line in lines)


def _lines(names: tuple[str, ...], how: Sampling, checkpoint: Path | None, progress: bool) -> Iterator[Line]:
    """Lines that are kept are not computed again; errors and draws that were interrupted are not kept."""
    from bayesmix.parallel.checkpoint import checkpoint_of, fingerprint

    keys = [] if checkpoint is None else [_key(name) for name in names]
    kept = checkpoint_of(checkpoint, fingerprint("compare --all", how), keys)
    found = {} if kept is None else kept.read()
    watched = shown(names, len(names), "Fitting both ways", transient=True, is_shown=progress)
    for place, name in enumerate(watched):
        if place in found:
            yield Line(**found[place])
            continue
        start = perf_counter()
        try:
            line, is_whole = _fit(name, how, start)
        except BayesmixError as error:
            line, is_whole = Line(name, error=described(error), seconds=perf_counter() - start), False
        if kept is not None and is_whole:
            kept.add(place, asdict(line))
        yield line


def _key(name: str) -> str:
    """A model file by its name and what is in it, so that one that changed is fitted again."""
    from bayesmix.data.model_file import load_model_file
    from bayesmix.parallel.checkpoint import fingerprint

    try:
        file = load_model_file(name)
    except BayesmixError:  # its line says so
        return name
    return f"{name} {fingerprint(replace(file, data=replace(file.data, folder=None)))}"


def _fit(name: str, how: Sampling, start: float) -> tuple[Line, bool]:
    """The line, and whether its posterior has all the draws."""
    from bayesmix.data.model_file import load_model_file
    from bayesmix.results.comparison.document_check import Outcome, judge
    from bayesmix.results.tables.posterior_summary import has_few_draws

    request = of_file(load_model_file(name))
    estimate = estimated(request, request.method, progress=False)
    posterior = sampled(request.model, how, progress=False)
    verdict = judge(request.figures, estimate, posterior)
    outcomes = [check.outcome for check in verdict.checks]
    line = Line(
        name,
        figures=len(outcomes),
        agree=outcomes.count(Outcome.OK),
        known=outcomes.count(Outcome.KNOWN),
        reproduced=verdict.reproduced,
        estimate=estimate.method,
        estimate_converged=estimate.converged,
        posterior=posterior.method,
        posterior_converged=posterior.converged,
        few_draws=has_few_draws(posterior),
        max_r_hat=posterior.convergence.worst_r_hat,
        min_ess=posterior.convergence.smallest_ess,
        divergences=posterior.divergences,
        seconds=perf_counter() - start,
    )
    return line, posterior.values.lead == (how.chains, how.draws)


def _print(lines: list[Line], form: Form) -> None:
    match form:
        case "json":
            print_json([{**asdict(line), "converged": line.converged} for line in lines])
        case "csv":
            import pandas as pd

            print_csv(pd.DataFrame([asdict(line) for line in lines]).convert_dtypes())  # counts stay whole
        case "text":
            good = sum(bool(line.reproduced) for line in lines)
            fitted = sum(line.converged for line in lines)
            say(f"\n{good} of {len(lines)} reproduced, {fitted} of {len(lines)} converged.")


def _text(line: Line, width: int) -> str:
    if line.error:
        return f"{line.model:{width}}  {line.error}"
    known = f" ({line.known} known)" if line.known else ""
    reproduced = f"{'yes' if line.reproduced else 'NO'}, {line.agree} of {line.figures}{known}"
    return _columns(
        width,
        line.model,
        reproduced,
        f"{line.estimate} {_converged(line.estimate_converged)}",
        f"{line.posterior} {'TOO FEW DRAWS' if line.few_draws else _converged(line.posterior_converged)}",
        f"{line.seconds:.1f}",
    )


def _converged(value: bool | None) -> str:
    return "converged" if value else "NOT CONVERGED"


def _columns(width: int, name: str, reproduced: str, estimate: str, posterior: str, seconds: str) -> str:
    return f"{name:{width}}  {reproduced:25}  {estimate:17}  {posterior:22}  {seconds:>7}"
