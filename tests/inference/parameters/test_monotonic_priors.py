"""Priors of monotonic effects: of slopes as of a number with equal steps, of shares Dirichlet, by name and as text."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import log_prior

RNG = np.random.default_rng(5)
DATA = {"y": RNG.normal(3.0, 2.0, 60), "x": np.arange(60) % 4, "w": np.arange(60) % 2, "z": RNG.normal(size=60)}


def priors(named=None, formula="y ~ mo(x) * z"):
    return bmx.Model(formula, DATA, priors=named).priors


def by_name(found):
    return {name: str(prior) for name, prior, _ in found.rows()}


@pytest.mark.parametrize("preset", ["default", "bambi", "brms", "flat"])
def test_slopes_have_the_prior_of_a_number_with_equal_steps(preset):
    """That of the column of codes in a linear model of it, at the mean of the number that it is multiplied with."""
    own, alone = by_name(priors(preset)), by_name(bmx.Model("y ~ x * z", DATA, priors=preset).priors)
    place = "(centred)" * (preset == "default")
    assert own[f"mox{place}"] == alone[f"x{place}"]
    assert own["mox:z"] == alone["x:z"]
    assert own["simo_mox1"] == "Dirichlet(1, 1, 1)"
    assert not any("[" in name for name in own)


def test_by_name():
    own = priors({"mox": "Normal(0, 1)", "simo_mox1": "Dirichlet(2, 3, 4)", "simo": "Dirichlet(0.5)"})
    assert by_name(own)["simo_mox1"] == "Dirichlet(2, 3, 4)"
    assert by_name(own)["simo_mox:z1"] == "Dirichlet(0.5, 0.5, 0.5)"
    assert by_name(own)["mox"] == "Normal(0, 1)"
    low, high = own.intervals()["simo_mox1[2]"]
    assert (low, high) == pytest.approx(stats.beta(3, 6).ppf([0.025, 0.975]))


def test_slopes_beside_products_with_numbers_are_at_their_means():
    """At +1 000 the product had a prior a thousandth as wide, and the effect beside it one where `z` is zero."""
    far = DATA | {"z": DATA["z"] + 1000.0}
    plain, moved = (bmx.Model("y ~ mo(x) * z", data).priors for data in (DATA, far))
    assert by_name(moved).keys() == by_name(plain).keys()
    for (name, own, _), (_, other, _) in zip(plain.rows(), moved.rows(), strict=True):
        assert other.arguments == pytest.approx(own.arguments, rel=1e-9), name
    slope, other = moved.names.index("mox(centred)"), moved.names.index("mox:z")
    assert moved.contrast[slope, slope] == 1.0
    assert moved.contrast[slope, other] == pytest.approx(far["z"].mean())
    assert f"y per mox at z = {far['z'].mean():.6g}" in " ".join(str(moved).split())
    given = bmx.Model("y ~ mo(x) * z", far, priors={"mox": "Normal(0, 1)"}).priors
    np.testing.assert_array_equal(given.contrast[slope], np.eye(len(given.names))[slope])


def test_printed():
    text = str(priors({"simo_mox1": "Dirichlet(2)"}))
    assert "simo_mox1" in text
    assert "Dirichlet(2, 2, 2)" in text
    assert "95 % of each share of the steps within 0.0527 .. 0.716" in text


def test_density_of_shares_is_dirichlets():
    """With the Jacobian of the coordinates that shares are computed with."""
    model = bmx.Model("y ~ mo(x)", DATA, priors={"simo_mox1": "Dirichlet(2, 3, 4)", "mox": "Normal(0, 1)"})
    point = Parameters(np.array([3.1, 0.7, 0.2, -0.6, 0.9]), (), (), (), None)
    found = float(log_prior(model.priors, model.design, point)["fixef"])
    fixed = dict(zip(model.design.fixed, point.beta, strict=True))
    v = [1.0 / (1.0 + np.exp(-fixed[f"simo_mox1[{i}]"])) for i in (1, 2)]
    shares = [v[0], (1.0 - v[0]) * v[1], (1.0 - v[0]) * (1.0 - v[1])]
    jacobian = np.log(v[0] * (1 - v[0]) * v[1] * (1 - v[1]) * (1 - v[0]))
    others = sum(float(model.priors.fixed[j].log_density(point.beta[j])) for j in (0, 1))  # intercept and sigma
    wanted = stats.dirichlet.logpdf(shares, [2, 3, 4]) + jacobian + stats.norm.logpdf(fixed["mox"])
    assert model.design.fixed[:2] == ("Intercept", "sigma")
    assert found == pytest.approx(wanted + others, rel=1e-10)


REFUSED = [
    ({"simo_mox1": "Normal(0, 1)"}, "Dirichlet"),
    ({"mox": "Dirichlet(2)"}, "not for `mox`"),
    ({"simo_mox1": "Dirichlet(1, 2)"}, "has 3 shares, and Dirichlet\\(1, 2\\) is of 2"),
    ({"simo_mox1": "Dirichlet(0)"}, "must be positive"),
    ({"simo_mox1[1]": "Beta(1, 1)"}, "Shares have one prior together"),
    ({"simo_mow1": "Dirichlet(1)"}, "No parameter is called"),
]


@pytest.mark.parametrize(("named", "message"), REFUSED)
def test_what_does_not_fit_is_refused(named, message):
    with pytest.raises(SpecError, match=message):
        _ = priors(named)
