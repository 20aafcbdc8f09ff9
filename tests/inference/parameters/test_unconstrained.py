"""Coordinates of standard deviations that bend where the data stop telling them from zero."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.parameters import unconstrained
from bayesmix.inference.parameters.correlation import Free, Independent
from bayesmix.inference.parameters.covariance import Scaled, Unstructured
from bayesmix.inference.parameters.unconstrained import TermCoordinates, split


def limited() -> TermCoordinates:
    return TermCoordinates(Scaled(Independent(2)), detection_limits=(0.3, 20.0))


@pytest.mark.parametrize("logs", np.linspace(-13.0, 300.0, 12))
def test_coordinates_and_standard_deviations_are_inverses(logs: float) -> None:
    sd = np.exp(np.array([logs, logs + 2.0]))
    found, _ = limited().unpack(limited().pack(np.diag(sd**2)))
    np.testing.assert_allclose(found, sd, rtol=1e-9)


def test_coordinates_that_are_not_found_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unconstrained, "MAX_NEWTON", 1)
    with pytest.raises(bmx.FitError, match="were not found in 1 Newton steps"):
        limited().pack(np.diag([1.0, 2.0]))


@pytest.mark.parametrize("lead", [(), (4, 2)])
def test_coordinates_of_several_terms_stand_side_by_side(lead: tuple[int, ...]) -> None:
    terms = [
        TermCoordinates(Unstructured(Free(3))),
        TermCoordinates(Scaled(Independent(1))),
        TermCoordinates(Unstructured(Free(2))),
    ]
    assert [term.size for term in terms] == [6, 1, 3]
    x = np.random.default_rng(0).normal(size=(*lead, 10))
    first, second, third = split(terms, x)
    np.testing.assert_array_equal(first, x[..., :6])
    np.testing.assert_array_equal(second, x[..., 6:7])
    np.testing.assert_array_equal(third, x[..., 7:])
    assert split([], x) == []
