"""Ranges of parameters: of every family, of structures, and what goes by them."""

from __future__ import annotations

import numpy as np
import pytest
from every_family import data_of, formulas_of

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.language.families.registry import FAMILIES
from bayesmix.results.fits.changed_parameters import changed_parameters
from bayesmix.results.fits.linear_predictor import flatten, parameter_names
from bayesmix.results.fits.parameter_ranges import parameter_ranges

BESIDE = {  # by the name of a number beside the mean
    **dict.fromkeys(("sigma", "shape", "phi", "nu", "kappa", "beta", "ndt"), (0.0, np.inf)),
    **dict.fromkeys(("zi", "hu", "zoi", "coi", "quantile"), (0.0, 1.0)),
    "power": (1.0, 2.0),
    "alpha": (-np.inf, np.inf),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_parameter_of_every_family_has_its_range(name):
    model = bmx.Model(formulas_of(name), data_of(name), family=name)
    found = parameter_ranges(model.design, model.spec)
    assert list(found) == parameter_names(model.design, model.spec.dispersion)
    own = {one.name: BESIDE[one.name] for one in FAMILIES[name].parameters[1:] if one.name in found}
    assert {key: found[key] for key in own} == own
    assert found["sd(g, Intercept)" if "sd(g, Intercept)" in found else "sd(g, mugreen_Intercept)"] == (0.0, np.inf)
    assert found["x" if "x" in found else "mugreen_x"] == (-np.inf, np.inf)


@pytest.mark.parametrize(
    ("formula", "ranges"),
    [
        ("y ~ (x | g)", {"corr(g, Intercept, x)": (-1.0, 1.0), "sigma": (0.0, np.inf)}),
        ("y ~ exp(0 + x | h)", {"range(h)": (0.0, np.inf), "sd(h)": (0.0, np.inf)}),
        ("y ~ (1 | gr(g, dist = 'student'))", {"df(g)": (1.0, np.inf)}),
        ("y ~ mo(o) + (1 | g)", {"simo_moo1[1]": (0.0, 1.0), "simo_moo1[2]": (0.0, 1.0), "moo": (-np.inf, np.inf)}),
    ],
)
def test_of_structures(formula, ranges):
    rng = np.random.default_rng(1)
    data = {
        "y": rng.normal(size=36),
        "x": np.arange(36.0),
        "g": list("abcdef") * 6,
        "o": [0, 1, 2] * 12,
        "h": ["a"] * 36,
    }
    model = bmx.Model(formula, data)
    found = parameter_ranges(model.design, model.spec)
    assert list(found) == parameter_names(model.design, model.spec.dispersion)
    assert {name: found.get(name) for name in ranges} == ranges


@pytest.mark.slow
def test_values_outside_are_refused_and_modes_are_inside():
    model = bmx.Model(formulas_of("zero_inflated_negbinomial"), data_of("zero_inflated_negbinomial"), family="zinb")
    fit = model.estimate()
    for name, value, words in (("zi", 1.5, "between 0 and 1"), ("shape", -1.0, "not below zero")):
        with pytest.raises(SpecError, match=f"`{name}` = .*{words}"):
            changed_parameters(fit, {name: value})
    assert flatten(fit.design, changed_parameters(fit, {"zi": 0.5}))[fit.names.index("zi")] == pytest.approx(0.5)
