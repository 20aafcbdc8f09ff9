"""Simulation-based calibration of every family, engine and covariance structure, at small size.

uv run python benchmarks/calibration.py                       # cells that have no line yet, then those with the oldest
uv run python benchmarks/calibration.py --minutes 30 --replicates 100 --processes 2
uv run python benchmarks/calibration.py --seconds 20          # of each cell as many data sets as are begun in that time
uv run python benchmarks/calibration.py --longest 40          # leave cells that take more than 40 s of the processor
uv run python benchmarks/calibration.py --replicates 3        # many cells, of which only those together say much
uv run python benchmarks/calibration.py "poisson / nuts / slopes" "student / marginal / *"   # these cells
uv run python benchmarks/calibration.py --date 2026-11-29     # what the slow tests drew on that day

Lines are kept in benchmarks/calibration.csv as they come, one for every cell and seed; the site has them. A cell whose
p-value is small is run again on new data, twice as many: chance does not repeat itself. Ranks of one slope, one
standard deviation, one effect of a level and of the log-likelihood stand in the lines, of first runs, too: those of
many cells are uniform together, so that few data sets of each tell of a family, an engine or a structure what many of
one cell would. Cells are taken along diagonals of families and structures, so that a part of them has all of both. Of
NUTS compiling takes nearly all of the time: rather many data sets of few cells.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import fnmatch
import json
import os
import signal
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from types import FrameType
from zlib import crc32

import numpy as np
import pandas as pd

import bayesmix as bmx
from bayesmix.language.families.registry import FAMILIES

LINES = Path(__file__).with_suffix(".csv")
LEVELS, ROWS = 8, 48
RANKS = 39
ENGINES = ("marginal", "nuts")
PRIORS = {"fixed": "Normal(0, 0.7)", "sd": "HalfNormal(0.7)", "corr": "LKJ(2)"}  # so that data are of a usual size
MEAN = {
    "intercept": "x + (1 | g)",
    "slopes": "x + (x | g)",
    "independent slopes": "x + (x || g)",
    "crossed": "x + (1 | g) + (1 | h)",
    "nested": "x + (1 | g/s)",
    "ar1": "x + ar1(0 + v | g)",
    "cs": "x + cs(0 + v | g)",
    "diag": "x + diag(0 + v | g)",
    "related": "x + (1 | gr(g, cov = A))",
    "smooth": "s(x, k = 5)",
    "distributional": "x + (1 | g)",
    "shared": "x + (1 | i | g)",
}
LEFT = {"trials": "y | trials(t)", "category_counts": "cbind(a, b, c) | trials(t)"}  # of others it is y
BESIDE = {"distributional": "x", "shared": "1 + (1 | i | g)"}  # the formula of a parameter beside the mean
DAILY = {"marginal": 6, "nuts": 3}  # cells a day
REPLICATES = 40
FIRST, SECOND = 0.02, 0.001  # p-values: below the first a cell is run again, and wrong below the second
AGAIN = 1.0  # seconds until what was told to stop is told again: where destructors are run, nobody hears it
TOO_DEAR = "no data set in the time"
REFUSED = "SpecError: "
NOT_FITTED = "not fitted: "


@dataclass(frozen=True)
class Cell:
    """A family, an engine and a structure."""

    family: str
    engine: str
    structure: str

    @property
    def name(self) -> str:
        """As in the table."""
        return f"{self.family} / {self.engine} / {self.structure}"

    @property
    def model(self) -> bmx.Model:
        """Of `ROWS` rows."""
        family = FAMILIES[self.family]
        formulas = [f"{LEFT.get(family.support, 'y')} ~ {MEAN[self.structure]}"]
        if self.structure in BESIDE:
            formulas.append(f"{beside(self.family)} ~ {BESIDE[self.structure]}")
        found = response(family.support)
        data = predictors().assign(**(found if isinstance(found, dict) else {"y": found}))
        related = {"data2": {"A": relation()}} if self.structure == "related" else {}
        return bmx.Model(formulas, data, family=self.family, priors=PRIORS, **related)


@dataclass(frozen=True)
class Line:
    """What is kept of a cell."""

    family: str
    engine: str
    structure: str
    replicates: int
    converged: str  # share
    failed: int
    p: str  # of all parameters together
    worst: str  # the parameter that is least uniform
    seed: int
    seconds: str  # of the processor and all processes, for each data set, or until a cell was left without any
    date: str
    version: str
    ranks: str = ""  # of `followed` parameters: "x 3 17, sd 1 20"; of lines from before they were kept nothing
    reason: str = ""  # why there are no ranks: a refusal, `TOO_DEAR`; or, after `NOT_FITTED`, why there are fewer

    @property
    def cell(self) -> Cell:
        """What it is of."""
        return Cell(self.family, self.engine, self.structure)


def followed(names: list[str]) -> dict[str, str]:
    """Parameters whose ranks are kept, by what they are in any cell: one of each, for those of a data set depend."""
    rules = {
        "slope": lambda name: name in {"x", "sx_1"},
        "sd": lambda name: name.startswith("sd("),
        "effect": lambda name: "[" in name,
        "log-likelihood": lambda name: name == "log-likelihood",
    }
    first = {what: next(filter(rule, names), None) for what, rule in rules.items()}
    return {what: name for what, name in first.items() if name is not None}


def written(ranks: pd.DataFrame) -> str:
    """Of the followed parameters, as text."""
    names = followed(list(ranks))
    return ", ".join(" ".join([what, *map(str, ranks[name])]) for what, name in names.items()) if len(ranks) else ""


def beside(family: str) -> str | None:
    """The first parameter beside the mean that may have a formula."""
    if FAMILIES[family].is_ordered:
        return "disc"
    named = [one.name for one in FAMILIES[family].parameters[1:] if not (one.is_threshold or one.is_mean)]
    return named[0] if named else None


def cells() -> list[Cell]:
    """All that there are."""
    return [
        Cell(family, engine, structure)
        for structure in MEAN
        for engine in ENGINES
        for family in FAMILIES
        if structure not in BESIDE or beside(family) is not None
    ]


def predictors() -> pd.DataFrame:
    rng, row = np.random.default_rng(2), np.arange(ROWS)
    return pd.DataFrame(
        {
            "x": np.round(rng.normal(size=ROWS), 3),
            "g": [f"g{j}" for j in row % LEVELS],
            "h": [f"h{j}" for j in row // LEVELS],
            "s": [f"s{j}" for j in row // LEVELS % 2],
            "v": [f"v{j}" for j in row // LEVELS % 3],
            "t": 9,
        }
    )


def relation() -> pd.DataFrame:
    """Pairs of sibs."""
    names = [f"g{j}" for j in range(LEVELS)]
    return pd.DataFrame(np.kron(np.eye(LEVELS // 2), [[1.0, 0.5], [0.5, 1.0]]), names, names)


def response(support: str) -> object:
    """Values of a support, or columns, of which default priors of scale parameters take their unit and nothing else."""
    rng, row = np.random.default_rng(1), np.arange(ROWS)
    positive, share, counts = rng.gamma(2.0, size=ROWS), rng.beta(2.0, 3.0, ROWS), rng.poisson(2.0, ROWS)
    ratings = ["never", "sometimes", "often"]
    return {
        "real": rng.normal(size=ROWS),
        "angle": rng.vonmises(0.3, 2.0, ROWS),
        "positive": positive,
        "proportion": share,
        "zero_or_proportion": np.where(row % 5 == 0, 0.0, share),
        "closed_proportion": np.where(row % 5 == 0, 0.0, np.where(row % 7 == 0, 1.0, share)),
        "counts": counts,
        "positive_counts": counts + 1,
        "zeros_and_counts": np.where(row % 5 == 0, 0, counts + 1),
        "zeros_and_positive": np.where(row % 5 == 0, 0.0, positive),
        "zero_or_positive": np.where(row % 5 == 0, 0.0, positive),
        "category_counts": dict(zip("abc", rng.multinomial(9, [0.2, 0.3, 0.5], ROWS).T, strict=True)),
        "trials": rng.binomial(9, 0.4, ROWS),
        "binary": (rng.random(ROWS) < 0.4).astype(int),
        "ordered": pd.Categorical(rng.permutation(np.array(ratings)[row % 3]), ratings),
        "nominal": rng.permutation(np.array(["red", "green", "blue"])[row % 3]),
    }[support]


@dataclass(frozen=True)
class Allowed:
    """What a cell may take."""

    replicates: int = REPLICATES
    seconds: float | None = None  # by the clock, after which no data set is begun
    processes: int = 1
    longest: float = 0.0  # of the processor, all processes together, after which a cell is left; zero is no limit


class TooLongError(BaseException):
    """Nothing between the script and the sampler takes it for a failure of the model."""


def leave(number: int, frame: FrameType | None) -> None:
    """What a signal calls."""
    raise TooLongError


def limited(seconds: float) -> None:
    """Leave what takes longer, of one process; zero is no limit."""
    signal.signal(signal.SIGPROF, leave)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN if seconds else 0.0)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Leave what takes longer, on the processor: other work beside it does not count."""
    before = signal.getsignal(signal.SIGPROF)
    limited(seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def pool(allowed: Allowed) -> Iterator[Executor | None]:
    """Processes of one cell, each with its part of what all may take: what ended processes took can be asked for."""
    if allowed.processes == 1:
        yield None
        return
    each = (allowed.longest / allowed.processes,)
    with ProcessPoolExecutor(allowed.processes, initializer=limited, initargs=each) as executor:
        yield executor


def spent() -> float:
    """Seconds of the processor, of this process and of those that it started and that have ended: compilers, too."""
    return sum(os.times()[:4])


def run(cell: Cell, allowed: Allowed, seed: int, folder: Path) -> Line:
    """One cell on the data sets of a seed; what is finished is kept in the folder.

    The seconds are counted from the end of the first data set, for which densities are compiled.
    """
    start, found, path = spent(), None, folder / f"{seed}.jsonl"
    study = partial(
        bmx.studies.calibrate, cell.model, method=cell.engine, ranks=RANKS, seed=seed, progress=False, checkpoint=path
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if allowed.seconds is not None:
            with suppress(bmx.SpecError):
                study(1)
        with suppress(bmx.SpecError), pool(allowed) as executor:  # where none could be fitted
            found = study(allowed.replicates, executor=executor, seconds=allowed.seconds)
    begun = finished(path)
    held = 0 if found is None else len(found.ranks)
    return Line(
        **asdict(cell),
        replicates=held,
        converged=f"{held / begun:.2f}",
        failed=begun if found is None else found.failed,
        p="nan" if found is None else f"{found.p:.2g}",
        worst=str(found.table["p"].idxmin()) if found is not None and held else "",
        seed=seed,
        seconds=f"{(spent() - start) / begun:.2f}",
        date=datetime.date.today().isoformat(),
        version=bmx.__version__,
        ranks="" if found is None else written(found.ranks),
        reason=why(path),
    )


def why(path: Path) -> str:
    """Why data sets in a checkpoint were not fitted: that of a refusal by itself, others with their counts."""
    results = []
    for line in path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []:
        with suppress(json.JSONDecodeError):  # of a line that was cut off
            results.append(json.loads(line)["result"])
    said = [own for own in results if isinstance(own, str)]
    refused = [text.removeprefix(REFUSED).partition(": ")[0] for text in said if text.startswith(REFUSED)]
    if refused and len(refused) == len(results):
        return refused[0]
    counts = Counter(text.partition(". ")[0] for text in said)
    return NOT_FITTED + "; ".join(f"{n} {text}" for text, n in counts.most_common()) if counts else ""


def finished(path: Path) -> int:
    """Data sets in a checkpoint, whose first line says what it is of."""
    return path.read_text(encoding="utf-8").count("\n") - 1 if path.exists() else 0


def checked(cell: Cell, allowed: Allowed, seed: int, folder: Path) -> list[Line]:
    """The same; and again on new data, twice as many, where ranks look uneven: chance does not repeat itself.

    Of a cell that is left because it takes too long, what it had finished; nothing if that is nothing.
    """
    start = spent()
    try:
        with at_most(allowed.longest):
            return list(_runs(cell, allowed, seed, folder))
    except TooLongError:
        done = {own: n for own in (seed, seed + 1) if (n := finished(folder / f"{own}.jsonl")) > 0}
        each = (spent() - start) / max(sum(done.values()), 1)
        return [replace(run(cell, Allowed(n), own, folder), seconds=f"{each:.2f}") for own, n in done.items()]


def _runs(cell: Cell, allowed: Allowed, seed: int, folder: Path) -> Iterator[Line]:
    line = run(cell, allowed, seed, folder)
    yield line
    if float(line.p) < FIRST:
        twice = 2 * finished(folder / f"{seed}.jsonl")
        yield run(cell, replace(allowed, replicates=twice, seconds=None), seed + 1, folder)


def is_refusal(reason: str) -> bool:
    """Whether the package says of a model, not of data, that it does not fit it."""
    return bool(reason) and reason != TOO_DEAR and not reason.startswith(NOT_FITTED)


def too_dear(cell: Cell, seed: int, seconds: float = np.nan) -> Line:
    """Of a cell that finished nothing in so many seconds of the processor."""
    today = datetime.date.today().isoformat()
    return Line(
        **asdict(cell),
        replicates=0,
        converged="nan",
        failed=0,
        p="nan",
        worst="",
        seed=seed,
        seconds=f"{seconds:.0f}",
        date=today,
        version=bmx.__version__,
        reason=TOO_DEAR,
    )


def seed_of(cell: Cell, date: datetime.date) -> int:
    """A seed of its own for every cell and day; the next one is that of its second run."""
    return 2 * (crc32(f"{cell.name} {date.isoformat()}".encode()) // 4)


def of_day(date: datetime.date) -> list[Cell]:
    """The cells that the slow tests draw on a day."""
    rng = np.random.default_rng(date.toordinal())
    by_engine = {engine: [cell for cell in cells() if cell.engine == engine] for engine in ENGINES}
    return [by_engine[engine][j] for engine, n in DAILY.items() for j in rng.choice(len(by_engine[engine]), n, False)]


# ---- lines -----------------------------------------------------------------------------------------------------------


def kept() -> dict[Cell, list[Line]]:
    """Runs of each cell, in order of time."""
    found = defaultdict[Cell, list[Line]](list)
    if LINES.exists():
        with LINES.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                line = Line(**{**row, **{name: int(row[name]) for name in ("replicates", "failed", "seed")}})
                found[line.cell].append(line)
    return dict(found)


def keep(new: list[Line]) -> None:
    """In the place of runs of the same data."""
    by_seed = {(line.cell, line.seed): line for own in [*kept().values(), new] for line in own}
    order = {cell: place for place, cell in enumerate(cells())}
    lines = sorted(by_seed.values(), key=lambda line: (order.get(line.cell, len(order)), line.date, line.seed))
    with LINES.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Line)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, lines))


def judged(lines: list[Line]) -> Line:
    """The run of most data sets, of those that were not run again for a small p-value: what a cell is judged by."""
    again = {line.seed - 1 for line in lines}
    left = [line for line in lines if not (line.seed in again and float(line.p) < FIRST)]
    return max(left, key=lambda line: line.replicates)


def chosen(patterns: list[str]) -> Iterator[Cell]:
    """Those without a line first, then by the day of their last one, each along diagonals."""
    lines, order = kept(), diagonals()
    wanted = [cell for cell in cells() if any(fnmatch.fnmatch(cell.name, pattern) for pattern in patterns or ["*"])]
    yield from sorted(wanted, key=lambda cell: (lines[cell][-1].date if cell in lines else "", order[cell]))


def diagonals() -> dict[Cell, tuple[int, int]]:
    """Place of each cell: a diagonal has every family once and structures equally often, within it in any order."""
    families, structures = list(FAMILIES), list(MEAN)
    return {
        cell: (
            (structures.index(cell.structure) - families.index(cell.family)) % len(structures),
            crc32(cell.name.encode()),
        )
        for cell in cells()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", help='names as in the table, or patterns: "poisson / * / slopes"')
    parser.add_argument("--minutes", type=float, default=np.inf)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--seconds", type=float, help="by the clock, of a cell, after which no data set is begun")
    parser.add_argument("--longest", type=float, default=0.0, help="of the processor, of a cell, which is then left")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--date", type=datetime.date.fromisoformat, help="seeds of that day, and its cells where none are named"
    )
    given = parser.parse_args()
    end, date = time.monotonic() + 60.0 * given.minutes, given.date or datetime.date.today()
    wanted = of_day(date) if given.date and not given.cells else chosen(given.cells)
    allowed = Allowed(given.replicates, given.seconds, given.processes, given.longest)
    for cell in wanted:
        if time.monotonic() > end:
            break
        seed, start = seed_of(cell, date), spent()
        try:
            with tempfile.TemporaryDirectory() as folder:
                lines = checked(cell, allowed, seed, Path(folder)) or [too_dear(cell, seed, spent() - start)]
        except bmx.BayesmixError as error:
            print(f"{cell.name:<50} {type(error).__name__}: {error}", flush=True)
            continue
        keep(lines)
        for line in lines:
            wrong = "  WRONG" if float(line.p) < SECOND else ""
            shown = f"{cell.name:<50} {line.replicates:5d} {line.converged:>5} {line.p:>8}  {line.worst} {line.seconds}"
            print(f"{shown}{wrong} {line.reason}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
