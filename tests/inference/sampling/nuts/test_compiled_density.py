"""Free values of a compiled density by variable, and which densities a process keeps; nothing is compiled here."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest

from bayesmix.inference.sampling.nuts import compiled_density as module
from bayesmix.inference.sampling.nuts.compiled_density import Density, density_of

SHAPES = {"beta_free": (2,), "sigma_free": (), "u_g": (3, 2)}
DENSITY = Density(tuple(SHAPES), tuple(SHAPES.values()), None, None, ("rows",), (np.dtype(float),))


@pytest.mark.parametrize("lead", [(), (4,), (2, 5)])
def test_values_are_split_in_the_order_of_the_variables(lead):
    values = np.arange(np.prod(lead, dtype=int) * 9.0).reshape(*lead, 9)
    found = DENSITY.split(values)
    assert {name: part.shape for name, part in found.items()} == {n: (*lead, *s) for n, s in SHAPES.items()}
    np.testing.assert_array_equal(found["beta_free"], values[..., :2])
    np.testing.assert_array_equal(found["sigma_free"], values[..., 2])
    np.testing.assert_array_equal(found["u_g"][..., 0, 0], values[..., 3])
    np.testing.assert_array_equal(found["u_g"][..., 0, 1], values[..., 4])
    np.testing.assert_array_equal(found["u_g"][..., 2, 1], values[..., 8])


def test_joining_is_the_inverse_and_leaves_the_rest():
    rest = -np.arange(1.0, 10.0)
    assert DENSITY.size == 9
    values = np.arange(9.0)
    np.testing.assert_array_equal(DENSITY.join(DENSITY.split(values), rest), values)
    some = DENSITY.join({"u_g": np.ones((3, 2))}, rest)
    np.testing.assert_array_equal(some, [-1.0, -2.0, -3.0, *np.ones(6)])
    assert rest[-1] == -9.0


def test_the_densities_used_last_are_kept(monkeypatch):
    compiled = []
    monkeypatch.setattr(
        module, "_compile", lambda model, _: compiled.append(model) or SimpleNamespace(names=(), of=model)
    )
    monkeypatch.setattr(module, "_densities", OrderedDict())
    monkeypatch.setattr(module, "KEPT", 2)
    for key in ("a", "b", "a", "c", "a", "b"):  # `c` puts `b` out, which is older than the `a` asked for again
        assert density_of(key, {}, key).of == key
    assert compiled == ["a", "b", "c", "b"]
