"""Tables of simulated data say how these were censored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.results.tables.simulation_table import simulation_table

RULE = "Simulated responses are censored in the intervals in which those of the data would be."


def test_the_rule_is_printed_below():
    plain = pd.DataFrame({"a": [1.0, 2.0]})
    table = simulation_table(plain, RULE, n=2)
    assert table.attrs == {"n": 2, "rule": RULE}
    text = repr(table)
    assert text.startswith(repr(plain))
    assert " ".join(text.split()).endswith(RULE)
    assert max(map(len, text.splitlines())) <= 80
    assert repr(simulation_table(plain, "")) == repr(plain)
    assert type(table[["a"]]) is pd.DataFrame


@pytest.fixture(scope="module")
def censored():
    """A detection limit: what is below 1 is not seen."""
    rng = np.random.default_rng(4)
    g, x = np.arange(80) % 10, rng.normal(size=80)
    y = 1.5 + 0.5 * x + rng.normal(0.0, 0.5, 10)[g] + rng.normal(size=80)
    data = pd.DataFrame({"y": np.maximum(y, 1.0), "x": x, "g": g, "c": np.where(y < 1.0, "left", "none")})
    return bmx.Model("y | cens(c) ~ x + (1 | g)", data)


def test_the_bootstrap_says_it(censored):
    table = censored.estimate().bootstrap(4, progress=False)
    assert table.attrs["rule"] == censored.design.censoring_rule
    assert "Simulated responses are censored" in repr(table)


@pytest.mark.slow
def test_coverage_of_a_censored_model(censored):
    """Wald intervals of the slope hold it in nineteen of twenty data sets, within three Monte Carlo errors."""
    fit = censored.estimate()
    compared = bmx.compare(censored.sample(draws=200, chains=2, seed=1, progress=False), fit, causes=False)
    table = compared.coverage(120, methods=["wald"], progress=False)
    assert " ".join(repr(table).split()).endswith(censored.design.censoring_rule)
    share = table.loc["x", "wald"]
    assert abs(share - 0.95) < 3.0 * np.sqrt(0.95 * 0.05 / table.attrs["n"])
