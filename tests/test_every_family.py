"""What holds of every family: bad input has one message, and what is printed fits on a page."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from conftest import around
from every_family import N, data_of, formulas_of

import bayesmix as bmx
from bayesmix.errors import BayesmixError, DataError
from bayesmix.language.families.registry import FAMILIES

ROW = 7
OUTSIDE = {  # support: values that are outside, what the message says is needed
    "angle": ((4.0, -90.0), "angles in radians"),
    "positive": ((0.0, -1.0), "positive numbers"),
    "proportion": ((0.0, 1.0, 1.5, -0.1), "numbers between 0 and 1, both excluded"),
    "zero_or_proportion": ((1.0, 1.5, -0.1), "numbers from 0 to below 1"),
    "closed_proportion": ((1.5, -0.1), "numbers from 0 to 1"),
    "counts": ((-1.0, 1.5), "counts 0, 1, 2"),
    "positive_counts": ((0.0, -1.0, 1.5), "counts"),
    "zeros_and_counts": ((-1.0, 1.5), "counts 0, 1, 2"),
    "zeros_and_positive": ((-1.0,), "zeros and positive numbers"),
    "zero_or_positive": ((-1.0,), "zeros and positive numbers"),
    "trials": ((-1.0, 10.0, 1.5), ""),  # said by what reads shares
    "binary": ((2.0, -1.0), "0 or 1|binomial model"),
}
EVERYWHERE = {"real", "ordered", "nominal"}  # any number, any name
COUNTED = {"category_counts"}  # several columns, in tests/data/design/test_counted_categories.py


def test_every_support_has_its_rows():
    assert OUTSIDE.keys() | EVERYWHERE | COUNTED == {family.support for family in FAMILIES.values()}


@pytest.mark.parametrize("name", [name for name, one in FAMILIES.items() if one.support in OUTSIDE])
def test_outside_the_support(name):
    values, needed = OUTSIDE[FAMILIES[name].support]
    for value in values:
        response = np.asarray(data_of(name)["response"], float).copy()
        response[ROW] = value
        with pytest.raises(DataError) as caught:
            bmx.Model(formulas_of(name), data_of(name, response), family=name)
        said = str(caught.value)
        assert "`response`" in said
        assert f"row {ROW}" in said
        assert f"{value:g}" in said
        assert re.search(needed, said)


@pytest.mark.parametrize("name", [name for name, one in FAMILIES.items() if one.support in EVERYWHERE - {"real"}])
def test_one_category_only(name):
    with pytest.raises(BayesmixError, match="the single category `same`"):
        bmx.Model(formulas_of(name), data_of(name, ["same"] * N), family=name)


CONSTANT = {  # support: a value that all rows may have
    "angle": 0.5,
    "real": -2.0,
    "positive": 1.0,
    "proportion": 0.5,
    "zero_or_proportion": 0.0,
    "closed_proportion": 0.4,
    "counts": 0,
    "positive_counts": 1,
    "zeros_and_counts": 0,
    "zeros_and_positive": 0.0,
    "zero_or_positive": 0.0,
    "trials": 0,
    "binary": 0,
}
OF_ONE_VALUE = {"exponential"}  # has an estimate: the rate is all that it has
SAID = "no variation is left|All values of `response` are|holds no success|do not tell"


@pytest.mark.parametrize(
    "name", [n for n, one in FAMILIES.items() if one.support in CONSTANT and n not in OF_ONE_VALUE]
)
def test_responses_that_do_not_vary(name):
    model = bmx.Model(formulas_of(name), data_of(name, [CONSTANT[FAMILIES[name].support]] * N), family=name)
    with pytest.raises(BayesmixError, match=SAID):
        model.estimate()


@pytest.mark.parametrize("name", [name for name, one in FAMILIES.items() if one.response == "categories"])
def test_empty_categories_are_left_out(name):
    """And the model says which there are: neither a threshold nor a score can be told of them."""
    levels = ["never", "seldom", "often", "always"]
    data = data_of(name, pd.Categorical(np.resize(["never", "often", "always"], N), levels))
    model = bmx.Model(formulas_of(name), data, family=name)
    assert "seldom" not in model.spec.family.levels
    assert re.search("Response response: never(,| <) often(,| <) always", str(model))


WITH_TAILS = [name for name, family in FAMILIES.items() if family.log_tails is not None]


@pytest.mark.parametrize("name", WITH_TAILS)
def test_all_censored(name):
    """No estimate has a maximum; a posterior has proper priors."""
    model = bmx.Model(formulas_of(name, beside="cens(c)"), data_of(name).assign(c="right"), family=name)
    with pytest.raises(BayesmixError, match=r"right-censored.*model\.sample"):
        model.estimate()


@pytest.mark.parametrize("name", WITH_TAILS)
def test_bounds_that_contradict(name):
    for bounds in ("trunc(lb = 3, ub = 2)", "cens(c, upper)"):
        data = data_of(name).assign(c="interval", upper=-9.0)
        with pytest.raises(DataError):
            bmx.Model(formulas_of(name, beside=bounds), data, family=name)


# ---- a page of text ---------------------------------------------------------------------------------------------

PAGE = 80
GAPS = 4  # that pandas 2 forgets in the width of its own tables, beside the dots for columns that it leaves out
QUICK = {"exponential", "inverse_gaussian"}


def check_page(*texts):
    for text in texts:
        width = PAGE + GAPS * (isinstance(text, pd.DataFrame) and pd.__version__ < "3")
        assert [line for line in str(text).splitlines() if len(line) > width] == []


@pytest.mark.parametrize("preset", ["default", "flat"])
@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_model_fits_on_a_page(name, preset):
    check_page(bmx.Model(formulas_of(name, of_all=True), data_of(name), family=name, priors=preset))


WITH_ESTIMATES = [name for name, family in FAMILIES.items() if family.smooth is None]  # densities without kinks


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in WITH_ESTIMATES])
@pytest.mark.filterwarnings("ignore::bayesmix.BayesmixWarning")
def test_what_is_printed_of_fits_fits_on_a_page(name):
    model = bmx.Model(formulas_of(name), data_of(name), family=name)
    fit = model.estimate()
    post = around(fit, model, chains=2, draws=20, spread=0.05)
    both = bmx.compare(fit, post)
    check_page(fit, fit.summary(), fit.diagnose(), post, post.summary(), both)
    check_page(fit.confint(method="wald"), both.intervals(methods=("wald", "credible")), fit.tidy(), post.tidy())
    check_page(fit.marginal_means("f"), post.contrasts("f"), post.slopes("x"))
