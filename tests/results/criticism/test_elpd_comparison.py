"""Models by expected log predictive density against ArviZ's table, and its functions on our records."""

from __future__ import annotations

import pickle
import warnings

import arviz_stats as az
import numpy as np
import pandas as pd
import pytest

from bayesmix.errors import SpecError
from bayesmix.results.criticism.elpd import psis_loo
from bayesmix.results.criticism.elpd_comparison import compare_elpd


def record_of(shift: float, seed: int, rows: int = 120, spread: float = 0.4):
    rng = np.random.default_rng(seed)
    own = np.random.default_rng(0).normal(size=rows) - 2.0 + 0.3 * rng.normal(size=rows)
    return psis_loo(own + shift + spread * rng.standard_t(4.0, size=(2, 300, rows)), 1.0, "loo", "rows")


RECORDS = {"one": record_of(0.0, 1), "two": record_of(-0.05, 2), "three": record_of(-1.0, 3, spread=0.9)}


@pytest.mark.parametrize("method", ["stacking", "BB-pseudo-BMA", "pseudo-BMA"])
def test_the_table_is_arviz_s(method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = az.compare(dict(RECORDS), method=method, round_to="none")
    found = compare_elpd(RECORDS, method)
    assert list(found.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6, atol=1e-6)


def test_records_are_arviz_s_where_arviz_is_loaded():
    record = RECORDS["one"]
    assert isinstance(record, az.ELPDData)
    again = pickle.loads(pickle.dumps(record))
    assert again.elpd == record["elpd"] == record.elpd
    exact = record.with_exact(np.array([0]), np.array([-1.0]), np.zeros((2, 300, 120)))
    assert str(exact).startswith("Expected log predictive density of 120 rows, by 600 draws")
    assert exact.elpd_i[0] == -1.0


def test_methods_that_there_are_not_are_refused():
    with pytest.raises(SpecError, match="Did you mean `stacking`"):
        compare_elpd(RECORDS, "stack")
