"""Which fixed effects and terms each curve of a fit is made of."""

import numpy as np
import pytest
from smooths import data, estimate, model

import bayesmix as bmx
from bayesmix.results.fits.smooth_parts import level_curves, smooth_parts


@pytest.mark.parametrize(
    ("name", "labels"),
    {
        "thin": ["s(x)"],
        "by_factor": ["s(x):fa", "s(x):fb", "s(x):fc"],
        "by_ordered": ["s(x)", "s(x):ob", "s(x):oc"],
        "by_number": ["s(x):w"],
        "tensor": ["t2(x,z)"],
    }.items(),
)
def test_curves_are_labelled_as_mgcv_does_and_know_their_columns(name, labels):
    fitted = model(name)
    parts = smooth_parts(fitted.spec, fitted.design)
    assert [part.label for part in parts] == labels
    owned = [j for part in parts for j in part.fixed]
    assert [fitted.design.fixed[j][:1] for j in owned] == [
        label[0] for part in parts for label in [part.label] * len(part.fixed)
    ]
    terms = sorted(t for part in parts for t in part.terms)
    assert terms == [t for t, term in enumerate(fitted.design.terms) if term.is_population]


def test_curves_of_another_parameter_say_so():
    fitted = bmx.Model(["y ~ x + (1 | g)", "sigma ~ s(z, k = 4)"], data())
    (part,) = smooth_parts(fitted.spec, fitted.design)
    assert part.label == "sigma: s(z)"
    assert [fitted.design.fixed[j] for j in part.fixed] == ["sigma_sz_1"]
    assert [fitted.design.terms[t].group for t in part.terms] == ["sigma_sz_1"]


def test_models_without_smooths_have_none():
    fitted = bmx.Model('y ~ x + s(x, g, bs = "fs", k = 4)', data())
    assert smooth_parts(fitted.spec, fitted.design) == []
    assert level_curves(fitted.spec, fitted.design) == {"s(x,g)": [0, 1, 2]}


def test_the_first_function_of_a_basis_is_known_in_the_coefficients():
    fit = estimate("thin")
    (part,) = smooth_parts(fit.spec, fit.design)
    whole = np.column_stack([part.learnt.fixed, *part.learnt.penalised])
    np.testing.assert_allclose(whole @ part.first, part.learnt.first, atol=1e-8)
