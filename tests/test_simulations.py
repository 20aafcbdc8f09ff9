"""Calibration of some cells of the matrix of the day, coverage of some intervals: gross failure is found.

All of both: `benchmarks/calibration.py` and `benchmarks/interval_coverage.py`, whose tables the site has.
"""

from __future__ import annotations

import datetime
import json
import re
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest
from benchmark_scripts import FOLDER, script
from daily import day
from scipy import stats

from bayesmix.language.families.registry import FAMILIES

calibration, coverage = script("calibration"), script("interval_coverage")
PLACES = range(sum(calibration.DAILY.values()))
PIECES = 3  # designs of coverage a day
DATA_SETS = 15
OFTEN = 40
SECONDS = 6.0  # by the clock, for each cell, after which no data set is begun
LONGEST = 40.0  # of the processor, in which the last has to end, and what is compiled for the first


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
def test_a_cell_that_the_sampler_refuses_has_a_line_that_says_why(tmp_path):
    """The density of asym_laplace has a kink, where no Gaussian approximation proposes."""
    cell = calibration.Cell("asym_laplace", "marginal", "intercept")
    line = calibration.run(cell, calibration.Allowed(2), 1, tmp_path)
    assert (line.replicates, line.failed, line.p, line.converged) == (0, 2, "nan", "0.00")
    assert line.reason == "The density of family `asym_laplace` has a kink at mu and no curvature elsewhere"


@pytest.mark.slow
def test_a_cell_that_is_cut_off_has_a_line_of_what_was_finished(tmp_path):
    cell = calibration.Cell("gaussian", "marginal", "intercept")
    whole = calibration.run(cell, calibration.Allowed(5), 2, tmp_path)
    path = tmp_path / "2.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[:4]) + "\n{")
    (line,) = calibration.checked(cell, calibration.Allowed(1000, longest=0.5), 2, tmp_path)
    assert 3 <= line.replicates < 100
    assert line.ranks.startswith(", ".join(" ".join(own.split()[:4]) for own in whole.ranks.split(", ")[:1]))
    assert float(line.seconds) * line.replicates > 0.3  # of 0.5, rounded
    assert calibration.checked(cell, calibration.Allowed(longest=1e-4), 4, tmp_path) == []
    few = calibration.run(cell, calibration.Allowed(40, 1e-6), 6, tmp_path)
    assert (few.replicates, calibration.finished(tmp_path / "6.jsonl")) == (1, 1)


def test_reasons_of_data_sets_that_were_not_fitted_are_kept(tmp_path):
    """Of a refusal its first sentence; of others, with a line that was cut off between them, their counts."""
    path = tmp_path / "1.jsonl"
    assert calibration.why(path) == ""
    head, ranked = json.dumps({"study": "a"}), json.dumps({"result": [[1, 2], True]})
    failed = [json.dumps({"result": f"FitError: No bound. At row {row}"}) for row in (3, 12)]
    path.write_text("\n".join([head, ranked, "{", *failed, json.dumps({"result": "LinAlgError: Singular"})]))
    assert calibration.why(path) == "not fitted: 2 FitError: No bound; 1 LinAlgError: Singular"
    assert not calibration.is_refusal(calibration.why(path))
    path.write_text("\n".join([head, json.dumps({"result": "SpecError: It has a kink: use NUTS"})]))
    assert calibration.why(path) == "It has a kink"
    assert calibration.is_refusal("It has a kink")
    assert not calibration.is_refusal(calibration.TOO_DEAR)
    assert not calibration.is_refusal("")


def made(folder):
    folder.mkdir()
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the signal may come in a destructor
def test_seconds_are_those_of_all_processes(tmp_path):
    """Two processes that fit and a parent that waits: its own seconds were a twentieth of them."""
    cell = calibration.Cell("gaussian", "marginal", "intercept")
    here, there = (
        calibration.run(cell, calibration.Allowed(20, processes=n), 2, made(tmp_path / f"{n}")) for n in (1, 2)
    )
    assert there.ranks == here.ranks
    assert float(there.seconds) > 0.3 * float(here.seconds)
    (line,) = calibration.checked(cell, calibration.Allowed(10_000, processes=2, longest=1.0), 4, tmp_path)
    assert 0 < line.replicates < 1_000


def test_a_cell_is_judged_by_its_largest_run_that_was_not_run_again():
    empty = calibration.too_dear(calibration.Cell("gaussian", "nuts", "intercept"), 0)
    lines = [
        replace(empty, seed=seed, replicates=n, p=p) for seed, n, p in [(8, 40, "0.01"), (9, 80, "0.4"), (2, 2, "1")]
    ]
    assert calibration.judged(lines) == lines[1]
    assert calibration.judged(lines[:1]) == lines[0]
    assert calibration.judged([lines[2], empty]) == lines[2]


def test_runs_are_kept_one_a_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "LINES", tmp_path / "kept.csv")
    cell, other = calibration.Cell("gaussian", "nuts", "intercept"), calibration.Cell("poisson", "nuts", "intercept")
    first, second = (
        calibration.too_dear(cell, 2),
        replace(calibration.too_dear(cell, 3), p="0.5", ranks="sd 1, slope 3"),
    )
    calibration.keep([second, first])
    calibration.keep([calibration.too_dear(other, 2), replace(first, p="0.01")])
    assert calibration.kept() == {cell: [replace(first, p="0.01"), second], other: [calibration.too_dear(other, 2)]}


def test_a_part_of_the_cells_has_all_families_and_structures_alike():
    order = calibration.diagonals()
    cells = [cell for cell in sorted(order, key=order.get) if cell.engine == "nuts"]
    part = cells[: len(FAMILIES)]
    assert len({cell.family for cell in part}) >= len(FAMILIES) - 1  # one without a parameter beside the mean
    numbers = Counter(cell.structure for cell in part)
    assert set(numbers) == set(calibration.MEAN)
    assert max(numbers.values()) - min(numbers.values()) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_cells_of_the_day_are_calibrated(place, tmp_path):
    """Ranks that look uneven are held against new data: false alarms come once in many years."""
    cell = calibration.of_day(day())[place]
    allowed = calibration.Allowed(seconds=SECONDS, longest=LONGEST)
    lines = calibration.checked(cell, allowed, calibration.seed_of(cell, day()), tmp_path)
    again = f'python benchmarks/calibration.py "{cell.name}" --date {day().isoformat()}'
    if not lines:
        pytest.skip(f"a single data set takes too long for a day: {again}")
    line = calibration.judged(lines)
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


@pytest.mark.parametrize("name", coverage.DESIGNS)
def test_every_kind_of_interval_in_the_table_was_tried_often(name):
    """Of four data sets a share says nothing."""
    _, counts = coverage.kept()[name]
    assert counts
    assert {key: n for key, (n, _) in coverage.shares(counts).items() if n < OFTEN} == {}


@pytest.mark.slow
def test_slopes_of_correlations_near_one_are_fitted(tmp_path):
    """A proposal with a correlation of one but for 1e-11 had a density of e^(1e12), and all the weight."""
    cell = calibration.Cell("hurdle_lognormal", "marginal", "slopes")
    line = calibration.run(cell, calibration.Allowed(2), 1693040038, tmp_path)
    assert (line.replicates, line.failed) == (2, 0)


def test_cells_in_the_table_are_uniform():
    lines = calibration.kept()
    assert set(lines) <= set(calibration.cells())
    assert [own for own in map(calibration.judged, lines.values()) if float(own.p) < calibration.SECOND] == []


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
        level = min(known[key][1] if key in known else 1.0, coverage.LEVEL)
        assert stats.binom(n, level).cdf(round(n * share)) > coverage.RARE, (name, key, n, share, again)


@pytest.mark.slow
def test_tables_of_the_site_say_what_rejects():
    """Pools of cells are uniform; intervals that are too narrow are so for a reason that is known."""
    simulations = script("simulations", FOLDER.parent / "docs" / "hooks")
    page = simulations.page()
    rejects = re.search(r"for all \d+ rows together rejects (.*)\.", page)
    assert rejects is not None
    assert rejects[1] == "none"
    assert "for all cells together rejects 0." in page
    assert all(coverage.why_narrow(*one) for one in simulations.narrow())
