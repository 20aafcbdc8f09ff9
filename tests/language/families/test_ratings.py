"""Families of categories: probabilities by SciPy's distribution functions, term by term; and their records."""

from __future__ import annotations

import pickle
from functools import partial

import laws
import numpy as np
import pytest
from densities import MEAN
from scipy import stats

from bayesmix.language.families.latent import LATENT
from bayesmix.language.families.ratings import SPECIFIC
from bayesmix.language.families.registry import FAMILIES

LEVELS = ("1", "2", "3", "4")
Y = np.array([0.0, 1.0, 2.0, 3.0, 1.0, 2.0, 0.0, 3.0])
MU = np.array([-1.0, 0.3, 0.8, 2.0, -1.0, 3.0, 1.5, 0.9])
TAU = [np.full(8, value) for value in (-1.2, 0.1, 1.7)]
DISC = np.array([0.5, 1.0, 2.0, 1.3, 0.2, 0.9, 1.0, 1.1])
CDF = {"logit": stats.logistic.cdf, "probit": stats.norm.cdf, "cloglog": MEAN["cloglog"]}


def probabilities(name, F, mu, tau, disc):
    """Of all categories, from the definitions."""
    if name == "cumulative":
        below = np.array([np.zeros(mu.shape), *(F(disc * (t - mu)) for t in tau), np.ones(mu.shape)])
        return np.diff(below, axis=0)
    if name in ("sratio", "cratio"):
        stop = [F(disc * (t - mu)) if name == "sratio" else 1.0 - F(disc * (mu - t)) for t in tau]
        found, left = [], np.ones(mu.shape)
        for share in stop:
            found.append(left * share)
            left = left * (1.0 - share)
        return np.array([*found, left])
    up = [F(disc * (mu - t)) for t in tau]
    whole = [np.prod([*up[:k], *(1.0 - one for one in up[k:])], axis=0) for k in range(len(tau) + 1)]
    return np.array(whole) / np.sum(whole, axis=0)


OWN = [np.full(8, value) for value in (-0.4, 0.9, -0.2)] * np.linspace(-1.0, 1.0, 8)  # effects on single thresholds


def log_density(name, F, has_disc, y, trials, mu, *others):
    *tau, disc = others if has_disc else (*others, 1.0)
    tau = [one - own for one, own in zip(tau[:3], tau[3:] or [0.0] * 3, strict=True)]
    y, mu, *tau = np.broadcast_arrays(y, mu, *tau)
    found = probabilities(name, F, mu, tau, disc)
    return np.log(np.take_along_axis(found, y.astype(int)[None], axis=0)[0])


def log_softmax(y, trials, *mu):
    scores = np.array(np.broadcast_arrays(0.0 * mu[0] + 0.0 * y, *mu))
    own = np.take_along_axis(scores, np.broadcast_to(y, scores[0].shape).astype(int)[None], axis=0)[0]
    return own - np.log(np.sum(np.exp(scores), axis=0))


def law(name, link, has_disc):
    family = FAMILIES[name].with_levels(LEVELS, link, frozenset({"disc"} if has_disc else ()))
    parameters = (MU, *TAU, DISC) if has_disc else (MU, *TAU)
    return laws.Law(family, Y, parameters, partial(log_density, name, CDF[link], has_disc), y_of_cdf=np.arange(4.0))


ORDERED = ("cumulative", "sratio", "cratio", "acat")


def law_of_specific_effects(name, link, has_disc):
    family = FAMILIES[name].with_levels(LEVELS, link, frozenset({SPECIFIC, *(["disc"] if has_disc else [])}))
    parameters = (MU, *TAU, *OWN, *([DISC] if has_disc else []))
    return laws.Law(family, Y, parameters, partial(log_density, name, CDF[link], has_disc), y_of_cdf=np.arange(4.0))


LAWS = [law(name, link, link == "probit") for name in ORDERED for link in CDF]
LAWS += [law_of_specific_effects("sratio", "probit", True), law_of_specific_effects("cratio", "cloglog", False)]
LAWS.append(law_of_specific_effects("acat", "logit", True))
LAWS.append(
    laws.Law(
        FAMILIES["categorical"].with_levels(LEVELS, "logit", frozenset()),
        Y,
        (MU, MU[::-1], 0.5 * MU),
        log_softmax,
        y_of_cdf=np.arange(4.0),
    )
)
IDS = [f"{one.family.name}-{one.family.parameters[0].links[0] if one.family.latent is None else one.family.latent.name}"
       for one in LAWS]  # fmt: skip


@pytest.mark.parametrize("law", LAWS, ids=IDS)
class TestLaws:
    def test_density(self, law):
        laws.check_density(law)

    def test_derivatives(self, law):
        laws.check_derivatives(law)

    def test_distribution_function(self, law):
        laws.check_cdf(law)

    def test_probabilities_of_all_categories_are_the_densities_of_each(self, law):
        """They are differences of distribution functions: right to rounding of one."""
        found = law.family.probabilities(*law.parameters)
        each = [np.exp(law.family.log_density(np.full(8, float(k)), np.ones(8), *law.parameters)) for k in range(4)]
        np.testing.assert_allclose(found, each, rtol=1e-12, atol=4e-16)

    def test_draws(self, law):
        laws.check_draws(law)

    @pytest.mark.slow
    def test_symbols(self, law):
        laws.check_symbols(law)


def test_thresholds_in_another_order_have_no_density():
    family = FAMILIES["cumulative"].with_levels(LEVELS, "logit", frozenset())
    found = family.log_density(np.arange(4.0), np.ones(4), np.zeros(4), *(np.full(4, t) for t in (0.0, 1.0, 0.5)))
    assert np.isneginf(found[2])
    assert np.isfinite(found[[0, 1, 3]]).all()


@pytest.mark.parametrize("name", LATENT)
def test_far_tails_keep_their_digits(name):
    """Probabilities of narrow categories far out, against the integral of the density by Simpson's rule."""
    density = {
        "logit": stats.logistic.logpdf,
        "probit": stats.norm.logpdf,
        "cloglog": lambda x: x - np.exp(x),
    }[name]
    for low in (-20.0, -3.0, 1.0) + ((8.0, 20.0) if name != "cloglog" else ()):
        x = np.linspace(low, low + 0.1, 2001)
        scaled = np.exp(density(x) - density(np.array(low)))
        weights = np.r_[1.0, np.tile([4.0, 2.0], 1000)[:-1], 1.0] * (x[1] - x[0]) / 3.0
        expected = np.log(weights @ scaled) + density(np.array(low))
        from bayesmix.language.families.namespaces import NUMERIC

        ends, latent = (np.array(low), np.array(low + 0.1)), LATENT[name]
        both = latent.log_cdf(NUMERIC, ends[1]) + latent.log_survival(NUMERIC, ends[0])
        found = latent.log_between(NUMERIC, *ends, both)
        np.testing.assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize("law", LAWS, ids=IDS)
def test_records_with_levels_pickle(law):
    again = pickle.loads(pickle.dumps(law.family))
    assert again.levels == LEVELS
    assert again.latent == law.family.latent
    np.testing.assert_array_equal(
        again.log_density(Y, np.ones(8), *law.rows[2]), law.family.log_density(Y, np.ones(8), *law.rows[2])
    )
