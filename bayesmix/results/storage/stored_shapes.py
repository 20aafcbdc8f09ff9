"""Shapes of a stored fit's numbers, which its design says: a store with others is damaged, whatever its checksums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.names import Parameters
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.storage.store_files import Damage

Shape = tuple[int, ...]
Expected = Iterator[tuple[str, Array, Shape]]  # what it is called, the array, and the shape that it should have


def check_estimate(point: PointEstimate, design: Design, spec: ModelSpec) -> None:
    """Raise `Damage` where an estimate's arrays are not of its design, or its dispersion not of its family."""
    _check(_of_estimate(point, design))
    if (point.dispersion is None) is not (spec.dispersion is None):
        raise Damage(f"the dispersion is {point.dispersion}, where that of the model is {spec.dispersion}")


def check_draws(values: Parameters, stats: Mapping[str, Array], state: Array | None, design: Design) -> None:
    """Raise `Damage` where arrays of draws are not of their design, or not of as many draws."""
    _check(_of_draws(values, stats, state, design))


def _check(expected: Expected) -> None:
    for name, array, shape in expected:
        if array.shape != shape:
            raise Damage(f"`{name}` has the shape {array.shape}, where the model has {shape}")


def _of_estimate(point: PointEstimate, design: Design) -> Expected:
    p, m = len(design.fixed), len(point.optimum.x)
    yield "beta", point.beta, (p,)
    yield "beta_cov", point.beta_cov, (p, p)
    yield "theta", point.theta, (point.coordinates.size,)
    yield "optimum_x", point.optimum.x, (m,)
    yield "optimum_gradient", point.optimum.gradient, (m,)
    yield "optimum_hessian", point.optimum.hessian, (m, m)
    for t, term in enumerate(design.terms):
        J, k = len(term.levels), len(term.effects)
        yield f"covariances_{t}", point.covariances[t], (k, k)
        yield f"b_{t}", point.b[t], (J, k)
        yield f"b_cov_{t}", point.b_cov[t], (J, k, k)


def _of_draws(values: Parameters, stats: Mapping[str, Array], state: Array | None, design: Design) -> Expected:
    lead = values.beta.shape[:2]
    yield "fixef", values.beta, (*lead, len(design.fixed))
    for t, term in enumerate(design.terms):
        J, k = len(term.levels), len(term.effects)
        yield f"sd of {term.group}", values.sd[t], (*lead, k)
        yield f"matrix_{t}", values.corr[t], (*lead, k, k)
        if values.b:
            yield f"ranef of {term.group}", values.b[t], (*lead, J, k)
    if values.dispersion is not None:
        yield "dispersion", values.dispersion, lead
    for name, own in (*values.df.items(), *stats.items()):
        yield name, own, lead
    if state is not None:
        yield "state", state, (lead[0], state.shape[-1])
