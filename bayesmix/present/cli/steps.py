"""The long parts of commands, with a sign of life on standard error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bayesmix.errors import SpecError
from bayesmix.parallel.progress import working

if TYPE_CHECKING:
    from bayesmix.comparison import Comparison
    from bayesmix.fit import Estimate, Posterior
    from bayesmix.model import Model
    from bayesmix.present.cli.option_records import Drawing
    from bayesmix.present.cli.request import Request
    from bayesmix.results.comparison.document_check import Verdict


DRAWS, CHAINS = 1000, 4  # by default


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw."""

    draws: int
    chains: int
    seed: int | None
    method: str


def sampling(drawing: Drawing, method: str = "auto") -> Sampling:
    """How to draw, by default where nothing was typed."""
    return Sampling(drawing.draws or DRAWS, drawing.chains or CHAINS, drawing.seed, method)


def estimated(request: Request, method: Any, *, progress: bool) -> Estimate:
    """The point estimate."""
    with working(f"Estimating {request.name}", is_shown=progress):
        return request.model.estimate(method, progress=False)


def sampled(model: Model, how: Sampling, *, checkpoint: Path | None = None, progress: bool) -> Posterior:
    """The posterior."""
    _ = model.priors  # what is wrong with them is an error before the long part
    if progress:
        typer.echo("Sampling ...", err=True)
    return model.sample(
        draws=how.draws,
        chains=how.chains,
        seed=how.seed,
        method=how.method,
        checkpoint=checkpoint,
        progress=progress,
    )


def compared(
    request: Request, estimate: Estimate, posterior: Posterior, *, causes: bool, groups: bool, progress: bool
) -> tuple[Comparison, Verdict]:
    """Both fits side by side, and what they amount to."""
    from bayesmix.comparison import compare
    from bayesmix.results.comparison.document_check import judge

    with working("Comparing", is_shown=progress):
        return compare(posterior, estimate, causes=causes, groups=groups), judge(request.figures, estimate, posterior)


def check_output(path: Path | None, kind: str = "report") -> None:
    """Say that a report or figure cannot be written before the long part."""
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        what = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise SpecError(f"The {kind} cannot be written: `{path}` {what}.")


def write_report(request: Request, comparison: Comparison, verdict: Verdict, path: Path, *, progress: bool) -> None:
    """Write the report."""
    from bayesmix.present.report.report import report

    with working(f"Writing {path}", is_shown=progress):
        report(comparison, path, title=request.title, verdict=verdict, units=request.units)
