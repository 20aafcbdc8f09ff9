"""Parameters that are one number for all rows, told from the coefficients of formulas and put back among them."""

from __future__ import annotations

import numpy as np
import pytest
from test_pymc_model import DATA

import bayesmix as bmx
from bayesmix.inference.sampling.nuts.numbers import split_priors

CASES = {
    "dispersion": ("y ~ x + (1 | g)", {}, ["sigma"]),
    "none": ("count ~ x + (1 | g)", {"family": "poisson"}, []),
    "formulas for all": (["y ~ x + (1 | g)", "sigma ~ x"], {}, []),
    "of two responses": (["y ~ x + (1 | g)", "positive ~ 1"], {"family": {"y": "gaussian", "positive": "gamma"}}, None),
}


@pytest.mark.parametrize("name", CASES)
def test_numbers_have_their_own_names_and_priors(name: str) -> None:
    formula, options, names = CASES[name]
    model = bmx.Model(formula, DATA, **options)
    split = split_priors(model.priors)
    wanted = ["sigma_y", "shape_positive"] if names is None else names
    assert [number.name for number in split.numbers] == wanted
    assert all(number.prior.is_positive for number in split.numbers)
    assert [model.design.fixed[j] for j in split.coefficients] == model.design.layout.coefficients


def test_numbers_are_put_in_their_places_through_their_links() -> None:
    formula, options, _ = CASES["of two responses"]
    model = bmx.Model(formula, DATA, **options)
    split = split_priors(model.priors)
    assert not split.is_whole
    assert model.design.fixed == ("y_Intercept", "y_x", "sigma_y", "positive_Intercept", "shape_positive")
    own = np.array([[1.0, 2.0, 3.0]])
    found = split.gamma(own, [np.array([[4.0]]), np.array([[5.0]])], join=np.concatenate)
    np.testing.assert_allclose(found, [[1.0, 2.0, np.log(4.0), 3.0, np.log(5.0)]], rtol=1e-15)


def test_coefficients_alone_are_left_as_they_are() -> None:
    formula, options, _ = CASES["dispersion"]
    split = split_priors(bmx.Model(formula, DATA, **options).priors)
    assert split.is_whole
    own = np.array([1.0, 2.0])
    assert split.gamma(own, [np.array([3.0])], join=np.concatenate) is own
