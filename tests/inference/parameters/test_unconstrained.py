"""Coordinates of standard deviations that bend where the data stop telling them from zero."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.inference.parameters import unconstrained
from bayesmix.inference.parameters.correlation import Independent
from bayesmix.inference.parameters.covariance import Scaled
from bayesmix.inference.parameters.unconstrained import TermCoordinates


def bent() -> TermCoordinates:
    return TermCoordinates(Scaled(Independent(2)), (0, 1), knees=(0.3, 20.0))


@pytest.mark.parametrize("logs", np.linspace(-13.0, 300.0, 12))
def test_coordinates_and_standard_deviations_are_inverses(logs: float) -> None:
    sd = np.exp(np.array([logs, logs + 2.0]))
    found, _ = bent().unpack(bent().pack(np.diag(sd**2)))
    np.testing.assert_allclose(found, sd, rtol=1e-9)


def test_coordinates_that_are_not_found_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unconstrained, "MAX_NEWTON", 1)
    with pytest.raises(bmx.FitError, match="were not found in 1 Newton steps"):
        bent().pack(np.diag([1.0, 2.0]))
