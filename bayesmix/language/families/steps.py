"""Means with monotonic effects: steps of one sign between ordered categories, added to a linear predictor.

An effect is ``b D (s_1 + ... + s_x) z`` at category ``x`` of ``0 ... D``, ``z`` one where it is in no interaction
(Bürkner and Charpentier 2020, Br. J. Math. Stat. Psychol. 73, 420-451). Its shares are ``s_i = v_i (1 - v_1) ... (1 -
v_(i-1))``, the last what is left: under a Dirichlet prior the ``v`` have independent Beta priors, and each is a
parameter with a logit link. Slopes ``b`` are parameters with identity links; ``x`` and ``z`` are numbers of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.curves import with_mean
from bayesmix.language.families.family import Family, Parameter
from bayesmix.language.families.link import Link
from bayesmix.language.families.namespaces import Namespace


@dataclass(frozen=True, slots=True)
class MonotonicEffect:
    """An effect of ordered categories, alone or times a number."""

    name: str  # of its slope: "moincome", "moincome:age"
    categories: tuple[str, ...]  # in their order
    code: str  # the expression of a row's category, counted from zero: "mo(income)"
    multiplier: str = ""  # the expression of the number that it is multiplied by
    size: float = 1.0  # of that number

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.categories) - 1

    @property
    def simplex(self) -> str:
        """What its shares are called, as brms does."""
        return f"simo_{self.name}1"

    @property
    def shares(self) -> tuple[str, ...]:
        """Names of its shares but the last, which is what the others leave."""
        return tuple(f"{self.simplex}[{i}]" for i in range(1, self.steps))

    def value(self, xp: Namespace, own: Mapping[str, Any]) -> Any:
        """The effect at its slope, the ``v`` by names of shares, and the numbers of rows."""
        code, left, total = own[self.code], 1.0, 0.0
        for i, name in enumerate(self.shares, 1):
            total = total + xp.where(code > i - 0.5, own[name] * left, np.zeros(()))
            left = left * (1.0 - own[name])
        total = total + xp.where(code > self.steps - 0.5, left, 0.0 * code)  # where there is no category, no value
        effect = self.steps * own[self.name] * total
        return effect * own[self.multiplier] if self.multiplier else effect


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The monotonic effects on the linear predictor of a mean."""

    effects: tuple[MonotonicEffect, ...]
    base: Family  # the distribution about it
    link: Link  # of its mean

    @property
    def data(self) -> tuple[str, ...]:
        """Expressions of the numbers that rows have."""
        texts = (text for one in self.effects for text in (one.code, one.multiplier) if text)
        return tuple(dict.fromkeys(texts))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those beside the parameters of the base."""
        return tuple(self._parameters())

    def _parameters(self) -> Iterator[Parameter]:
        for one in self.effects:
            yield Parameter(one.name, ("identity",), is_monotonic=True)
            yield from (Parameter(name, ("logit",), simplex=one.simplex) for name in one.shares)
        yield from (Parameter(text, ("identity",), is_known=True) for text in self.data)

    @property
    def count(self) -> int:
        """Number of the base's parameters beside its mean."""
        return len(self.base.parameters) - 1

    def of(self, xp: Namespace, mu: Any, *others: Any) -> tuple[Any, ...]:
        """The mean and the other parameters of the base: ``mu`` is on the scale of the link."""
        own = {one.name: value for one, value in zip(self.parameters, others[self.count :], strict=True)}
        total = sum((one.value(xp, own) for one in self.effects), start=mu)
        return (self.link.formula(xp, total), *others[: self.count])

    def crude(self, y: Array, trials: Array, sign: float = 1.0) -> tuple[float, ...]:
        """A start of each parameter: equal steps up, or down, from one end of the categories to the other."""
        base, share = self.base, y / trials
        z = self.link.of(base.starting_mean(self.link, base.on_scale(share), trials))
        middle = np.asarray(np.average(share, weights=trials))
        if base.crude is not None:
            mean, *others = base.crude(y, trials)
        else:
            mean = float(base.starting_mean(self.link, middle, np.asarray(np.mean(trials))))
            others = list(base.start(y, np.full(y.shape, mean)))
        own: list[float] = []
        for one in self.effects:
            own += [
                sign * float(np.std(z)) / (one.steps * one.size),
                *(1.0 / (one.steps - i) for i in range(one.steps - 1)),
            ]
        return (float(self.link.of(np.asarray(mean))), *others, *own, *(0.0 for _ in self.data))


def with_steps(steps: Steps) -> Family:
    """The base with monotonic effects on the linear predictor of its mean."""
    mu = Parameter("mu", ("identity",))
    made = with_mean(
        steps.base,
        (mu, *steps.base.parameters[1:], *steps.parameters),
        steps.of,
        crude=steps.crude,
        apart=partial(steps.crude, sign=-1.0),
    )
    return replace(made, steps=steps)
