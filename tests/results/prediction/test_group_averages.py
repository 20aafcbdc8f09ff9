"""Means averaged over t distributed effects against adaptive quadrature over SciPy's density."""

from __future__ import annotations

import numpy as np
import pytest
from heavy_tailed import by_hand, small
from scipy import stats
from scipy.integrate import quad
from scipy.special import expit

import bayesmix as bmx
from bayesmix.errors import SpecError

FORMULA = 'yes ~ x + (x | gr(g, dist = "student"))'


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_shares_are_integrated_over_the_t_distribution(link):
    data = small()
    df = {"g": np.array([[1.05, 2.0, 7.0, 150.0]])}
    model = bmx.Model(FORMULA, data, family="bernoulli", link=link)
    own = by_hand(model, lead=(1, 4), df=df, sd=(np.broadcast_to([1.5, 0.4], (1, 4, 2)),))
    rows = data.head(3)
    found = own.predict(rows, groups="average")["mean"].to_numpy()
    inverse = {"logit": expit, "probit": stats.norm.cdf, "cloglog": lambda e: -np.expm1(-np.exp(np.minimum(e, 9.0)))}[
        link
    ]
    values, expected = own.values, np.zeros(3)
    for draw in range(4):
        beta, sd, corr, df = (
            values.beta[0, draw],
            values.sd[0][0, draw],
            values.corr[0][0, draw],
            values.df["g"][0, draw],
        )
        for i, x in enumerate(rows.x):
            z = np.array([1.0, x])
            s = np.sqrt(z @ (corr * np.outer(sd, sd)) @ z)

            density = stats.t(df).pdf

            def over(t, eta=z @ beta, s=s, pdf=density):
                return (inverse(eta + s * t) + inverse(eta - s * t)) * pdf(t)

            parts = [quad(over, a, b, epsabs=1e-11, limit=200)[0] for a, b in ((0, 2), (2, 20), (20, 1e3), (1e3, 1e6))]
            rest = 2.0 * stats.t(df).sf(1e6) * 0.5  # half of either side
            expected[i] += (sum(parts) + rest) / 4.0
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_beside_normal_effects_of_another_factor():
    data = small().assign(h=lambda d: [f"h{i % 3}" for i in range(len(d))])
    model = bmx.Model('yes ~ 1 + (1 | gr(g, dist = "student")) + (1 | h)', data, family="bernoulli")
    post = by_hand(model, lead=(1, 2))
    values, names = post.values, [term.group for term in model.design.terms]
    x, w = np.polynomial.hermite_e.hermegauss(61)
    expected = 0.0
    for draw in range(2):
        eta, df = values.beta[0, draw, 0], values.df["g"][0, draw]
        s, tau = (values.sd[names.index(name)][0, draw, 0] for name in ("g", "h"))

        def over(t, eta=eta, df=df, s=s, tau=tau):
            return float((w / w.sum()) @ expit(eta + s * t + tau * x)) * stats.t(df).pdf(t)

        pieces = ((-1e4, -10), (-10, 0), (0, 10), (10, 1e4))
        expected += sum(quad(over, a, b, limit=200)[0] for a, b in pieces) / 2.0
    assert post.predict(data.head(1), groups="average")["mean"].iloc[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ('count ~ x + (1 | gr(g, dist = "student"))', "poisson"),
        ('yes ~ 1 + (1 | gr(g, dist = "student")) + (1 | gr(h, dist = "student"))', "bernoulli"),
        (['count ~ x + (1 | gr(g, dist = "student"))', "zi ~ 1"], "zero_inflated_poisson"),
    ],
)
def test_means_that_need_not_exist_are_refused(formula, family):
    data = small().assign(h=lambda d: [f"h{i % 3}" for i in range(len(d))])
    post = by_hand(bmx.Model(formula, data, family=family))
    with pytest.raises(SpecError, match=r'have a t distribution.*groups="new"'):
        post.predict(data.head(2), groups="average")
    assert np.isfinite(post.predict(data.head(2), groups="new")["mean"]).all()
