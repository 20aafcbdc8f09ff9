"""Monotonic effects at the boundary: steps that are zero, and slopes without a largest value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bayesmix.data.design.design import Design
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.natural_scale import reported
from bayesmix.language.families.steps import MonotonicEffect
from bayesmix.language.formula.model_spec import Auxiliary, ModelSpec, Predictor, Response

NO_STEP = 1e-5  # share of a monotonic effect that is zero
ENDLESS = 15.0  # logarithms between the first and the last category


def running_steps(design: Design, spec: ModelSpec, point: PointEstimate) -> Iterator[str]:
    """Say which steps are zero and which slopes run off: one sentence each."""
    beta = dict(zip(design.fixed, reported(design.layout, point.beta).tolist(), strict=True))
    for response in spec.responses:
        of = f"_{response.name}" if response.name else ""
        for effect in _effects(response):
            gone, unseen = _gone(effect, [beta[name + of] for name in effect.shares]), _unseen(design, spec, effect)
            if unseen:
                yield _untold(effect, of, unseen)
            elif gone:
                yield _no_step(effect, of, gone)
            reach = abs(beta[effect.name + of]) * effect.steps * effect.size
            if not response.family.steps.link.is_identity and reach > ENDLESS:
                yield (
                    f"`{effect.name}{of}` runs off: between the categories of `{effect.code}` the"
                    f" {response.family.steps.link.name} of the mean of `{response.label}` differs by {reach:.3g}, and"
                    " the likelihood has no maximum. Join categories, or sample with a proper prior (model.sample())."
                )


def has_zero_step(design: Design, spec: ModelSpec, point: PointEstimate) -> bool:
    """Whether a step of a monotonic effect is zero at the estimate, or not told by the data."""
    beta = dict(zip(design.fixed, reported(design.layout, point.beta).tolist(), strict=True))
    return any(
        _gone(effect, [beta[f"{name}_{one.name}".removesuffix("_")] for name in effect.shares])
        or _unseen(design, spec, effect)
        for one in spec.responses
        for effect in _effects(one)
    )


def _effects(response: Response) -> tuple[MonotonicEffect, ...]:
    return () if response.family.steps is None else response.family.steps.effects


def _gone(effect: MonotonicEffect, shares: Sequence[float]) -> list[int]:
    """Steps of an effect that are zero, counted from one."""
    return [i for i, share in enumerate([*shares, 1.0 - sum(shares)], 1) if share < NO_STEP]


def _unseen(design: Design, spec: ModelSpec, effect: MonotonicEffect) -> list[str]:
    """Categories that no row has."""
    known = [r for r, one in enumerate(spec.parameters) if _name(spec, one) == effect.code]
    codes = {int(code) for r in known for code in np.unique(design.offset[design.block(r)])}
    return [one for code, one in enumerate(effect.categories) if code not in codes]


def _name(spec: ModelSpec, one: Predictor | Auxiliary) -> str:
    return spec.responses[one.response].family.parameters[one.parameter].name


def _untold(effect: MonotonicEffect, of: str, unseen: Sequence[str]) -> str:
    names = ", ".join(f"`{one}`" for one in unseen)
    return (
        f"No row has category {names} of `{effect.code}`: the data do not tell how large its steps are, and"
        f" `{effect.name}{of}` and its shares are some of many that fit as well. Leave categories without rows out"
        " of the levels, or sample (model.sample()), where the prior says it."
    )


def _no_step(effect: MonotonicEffect, of: str, gone: Sequence[int]) -> str:
    steps = " and ".join(f"from `{effect.categories[i - 1]}` to `{effect.categories[i]}`" for i in gone)
    names = ", ".join(f"`{effect.simplex}{of}[{i}]`" for i in gone)
    return (
        f"No step of `{effect.name}{of}` {steps}: {names} at the end of {'its' if len(gone) == 1 else 'their'} range,"
        " zero, since the data there go the other way or nowhere. The estimates hold, of a monotonic effect; standard"
        " errors of shares mean nothing, and those of all else are as if these were known. Sample (model.sample())."
    )
