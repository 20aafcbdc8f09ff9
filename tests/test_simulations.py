"""Calibration of some cells of the matrix of the day, coverage of some intervals: gross failure is found.

All of both: `benchmarks/calibration.py` and `benchmarks/interval_coverage.py`, whose tables the site has.
"""

from __future__ import annotations

import datetime
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pandas as pd
import pytest
from benchmark_scripts import script
from daily import day
from scipy import stats

from bayesmix.language.families.registry import FAMILIES

calibration, coverage = script("calibration"), script("interval_coverage")
PLACES = range(sum(calibration.DAILY.values()))
PIECES = 3  # designs of coverage a day
DATA_SETS = 15
SECONDS = 6.0  # by the clock, for each cell, after which no data set is begun
LONGEST = 40.0  # of the processor, in which the last has to end, and what is compiled for the first


class TooLongError(BaseException):
    """Nothing between the test and the sampler takes it for a failure of the model."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Leave what takes longer, on the processor: other work beside the tests does not count."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGPROF, leave)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def test_every_family_and_engine_has_cells():
    cells = calibration.cells()
    assert {(cell.family, cell.engine) for cell in cells} == {
        (name, e) for name in FAMILIES for e in calibration.ENGINES
    }
    assert len(set(cells)) == len(cells)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_cell_has_a_model(family):
    """Of each structure: a support without responses failed on the days that drew it."""
    found = [cell for cell in calibration.cells() if cell.family == family and cell.engine == "marginal"]
    assert found
    assert all(len(cell.model.design.y) == calibration.ROWS for cell in found)


def test_ranks_that_are_kept_are_of_one_parameter_each():
    crossed = ["Intercept", "x", "sd(g, Intercept)", "sd(h, Intercept)", "Intercept[g g0]", "log-likelihood"]
    first = {"slope": "x", "sd": "sd(g, Intercept)", "effect": "Intercept[g g0]", "log-likelihood": "log-likelihood"}
    assert calibration.followed(crossed) == first
    assert calibration.followed(["Intercept", "sx_1"]) == {"slope": "sx_1"}
    ranks = pd.DataFrame({"x": [3, 17], "log-likelihood": [0, 39], "other": [1, 2]})
    assert calibration.written(ranks) == "slope 3 17, log-likelihood 0 39"
    assert calibration.written(ranks[:0]) == ""


def test_cells_of_a_day_are_those_of_that_day():
    first, second = (datetime.date(2026, 11, number) for number in (29, 30))
    assert calibration.of_day(first) == calibration.of_day(first)
    assert calibration.of_day(first) != calibration.of_day(second)
    cell = calibration.of_day(first)[0]
    assert calibration.seed_of(cell, first) != calibration.seed_of(cell, second)


@pytest.mark.slow
def test_a_cell_that_the_sampler_refuses_has_a_line(tmp_path):
    """The density of asym_laplace has a kink, where no Gaussian approximation proposes."""
    cell = calibration.Cell("asym_laplace", "marginal", "intercept")
    line = calibration.run(cell, calibration.Allowed(2), 1, tmp_path)
    assert (line.replicates, line.failed, line.p, line.converged) == (0, 2, "nan", "0.00")


@pytest.mark.slow
def test_a_cell_that_is_cut_off_has_a_line_of_what_was_finished(tmp_path):
    cell = calibration.Cell("gaussian", "marginal", "intercept")
    whole = calibration.run(cell, calibration.Allowed(5), 1, tmp_path)
    assert calibration.so_far(cell, 3, tmp_path) is None
    path = tmp_path / "1.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[:4]) + "\n{")
    line = calibration.so_far(cell, 1, tmp_path)
    assert (whole.replicates, line.replicates, line.converged) == (5, 3, "1.00")
    few = calibration.run(cell, calibration.Allowed(40, 1e-6), 5, tmp_path)
    assert (few.replicates, calibration.finished(tmp_path / "5.jsonl")) == (1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_cells_of_the_day_are_calibrated(place, tmp_path):
    """Ranks that look uneven are held against new data: false alarms come once in many years."""
    cell = calibration.of_day(day())[place]
    seed = calibration.seed_of(cell, day())
    try:
        with at_most(LONGEST):
            line = calibration.checked(cell, calibration.Allowed(seconds=SECONDS), seed, tmp_path)
    except TooLongError:
        line = calibration.so_far(cell, seed, tmp_path)
    again = f'python benchmarks/calibration.py "{cell.name}" --date {day().isoformat()}'
    if line is None:
        pytest.skip(f"a single data set takes too long for a day: {again}")
    assert line.p == "nan" or float(line.p) >= calibration.SECOND, (line, again)


@pytest.mark.parametrize("name", coverage.DESIGNS)
def test_intervals_in_the_table_hold_the_truth_where_theory_says_so(name):
    """Exact, or nearly so, at these sizes; Wald's, the bootstrap's and single contrasts are not."""
    _, counts = coverage.kept()[name]
    exact = {"satterthwaite", "kenward-roger", "posterior", "CR2", "contrasts, tukey", "contrasts, mvt"}
    found = {key: own for key, own in coverage.shares(counts).items() if key[0] in exact or key == ("profile", "x")}
    assert found or name == "smooth"
    for key, (n, share) in found.items():
        assert stats.binom(n, coverage.LEVEL).cdf(round(n * share)) > coverage.RARE, (key, n, share)


def test_cells_in_the_table_are_uniform():
    lines = calibration.kept()
    assert set(lines) <= set(calibration.cells())
    assert [line for line in lines.values() if float(line.p) < calibration.SECOND] == []


@pytest.mark.slow
@pytest.mark.parametrize("place", range(PIECES))
def test_intervals_of_the_day_hold_the_truth(place):
    """As often as their level says, but for chance; as the table says those that are known to be too narrow."""
    number = day().toordinal() * PIECES + place
    name = list(coverage.DESIGNS)[number % len(coverage.DESIGNS)]
    first = DATA_SETS * (number % 10_000)
    again = f"coverage.counted({name!r}, {first}, {DATA_SETS})"
    known = coverage.shares(coverage.kept()[name][1])
    for key, (n, share) in coverage.shares(coverage.counted(name, first, DATA_SETS)).items():
        level = min(known[key][1], coverage.LEVEL)
        assert stats.binom(n, level).cdf(round(n * share)) > coverage.RARE, (name, key, n, share, again)
