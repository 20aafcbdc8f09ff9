"""Third derivatives of rows that know few of the predictors, beside those by all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayesmix.data.design.response import Outcome
from bayesmix.inference.least_squares.row_weights import contract
from bayesmix.inference.parameters.likelihood import SeveralPredictors
from bayesmix.inference.parameters.response_parts import ResponsePart
from bayesmix.language.families.latent import LATENT
from bayesmix.language.families.link import LINKS
from bayesmix.language.families.neighbours import LocalKernel
from bayesmix.language.families.registry import FAMILIES

K, N = 7, 40
RNG = np.random.default_rng(2)


def both(link: str, *, has_disc: bool) -> tuple[SeveralPredictors, SeveralPredictors, np.ndarray]:
    """Rows of ratings that know the thresholds beside them, the same that know all of them, and a point."""
    named = frozenset({"disc"} if has_disc else ())
    family = FAMILIES["cumulative"].with_levels(tuple(map(str, range(K))), link, named)
    assert isinstance(family.kernel, LocalKernel)
    places = RNG.permutation(len(family.parameters))
    eta = np.empty((len(places), N))
    eta[places[0]] = RNG.normal(size=N)
    eta[places[1:K]] = np.linspace(-2.0, 2.0, K - 1)[:, None] + 0.3 * RNG.normal(size=(K - 1, N)).cumsum(axis=0) ** 2
    eta[places[K:]] = 0.3 * RNG.normal(size=(len(places) - K, N))
    links = (LATENT[link].link, *(LINKS["identity"],) * (K - 1), *((LINKS["log"],) if has_disc else ()))
    outcome = Outcome(np.arange(N) % float(K), weights=RNG.uniform(0.5, 2.0, N), trials=np.ones(N))
    rows = []
    for one in (family, replace(family, kernel=family.kernel.whole)):
        part = ResponsePart(one, links, tuple(map(int, places)), outcome, one)
        rows.append(SeveralPredictors(N, len(places), (part,)))
    return rows[0], rows[1], eta.ravel()


@pytest.mark.parametrize(("link", "has_disc"), [("logit", False), ("probit", True), ("cloglog", False)])
def test_derivatives_by_the_predictors_of_a_row_are_those_by_all(link: str, has_disc: bool) -> None:
    few, every, eta = both(link, has_disc=has_disc)
    one = np.ones(())
    for own, whole in zip(few.jet(eta, one)[:3], every.jet(eta, one)[:3], strict=True):
        np.testing.assert_allclose(own, whole, rtol=1e-12, atol=1e-12)
    for own, whole in zip(few.slopes(eta, one), every.slopes(eta, one), strict=True):
        np.testing.assert_allclose(own, whole, rtol=1e-12, atol=1e-12)
    root = RNG.normal(size=(few.R, few.R, N))
    forms = np.einsum("rsn,tsn->rtn", root, root)
    local, dense = few.jet(eta, one)[3], every.jet(eta, one)[3]
    assert dense.shape == (few.R, few.R, few.R, N)
    np.testing.assert_allclose(contract(forms, local), contract(forms, dense), rtol=1e-11, atol=1e-11)


def test_many_points_and_several_responses_have_the_same_arrays_as_ever() -> None:
    """Leading axes, and parts that are not alike."""
    few, every, eta = both("logit", has_disc=False)
    points, one = np.stack([eta, 1.1 * eta]), np.ones(())
    for own, whole in zip(few.jet(points, one), every.jet(points, one), strict=True):
        np.testing.assert_allclose(own, whole, rtol=1e-12, atol=1e-12)
    twice = [SeveralPredictors(N, rows.R, rows.parts * 2) for rows in (few, every)]
    for own, whole in zip(twice[0].jet(eta, one), twice[1].jet(eta, one), strict=True):
        np.testing.assert_allclose(own, whole, rtol=1e-12, atol=1e-12)
