"""What the data cannot tell: found before a fit where possible, after it otherwise, and said in words."""

from __future__ import annotations

import numpy as np

from bayesmix.data.design import Design
from bayesmix.errors import DesignError
from bayesmix.inference.correlation import Autoregressive
from bayesmix.inference.covariance import structure_of
from bayesmix.inference.parameters import Parameters
from bayesmix.language.family import Family, Link

Array = np.ndarray

LARGE_EFFECT = 4.0  # on a logit or log scale, over the range of a predictor: where separation is looked for
NO_OVERDISPERSION = 1e6  # shape from which on no count can tell a negative binomial from a Poisson distribution
PURE_SD = 4.0  # standard deviation of logits beyond which pure levels are looked for
EXACT = 1e-5  # residual over total standard deviation that is zero to rounding


def check_identifiable(design: Design, family: Family, link: Link) -> None:
    """Raise `DesignError` where no finite estimate exists, whatever the method."""
    n = len(design.y)
    if n <= design.X.shape[1]:
        raise DesignError(
            f"{n} rows cannot identify {design.X.shape[1]} fixed effects: leave out predictors or add data."
        )
    if family.name == "gaussian" and link.name == "identity":
        _check_residual(design)
    if family.name in {"poisson", "negbinomial"} and not np.any(design.y > 0):
        raise DesignError(
            f"All counts of `{design.response}` are zero: the logarithm of their rate has no finite estimate."
            " There is nothing to model until some event was counted."
        )
    if family.response == "binomial":
        _check_outcomes(design)


def _check_residual(design: Design) -> None:
    """A gaussian residual needs levels with more rows than effects, or correlations that tell effects from noise."""
    for term in design.terms:
        effects = len(term.levels) * len(term.effects)
        decays = isinstance(structure_of(term).correlation, Autoregressive) and len(term.effects) > 2
        if effects >= len(design.y) and not decays:
            what = f"{len(term.levels)} levels" + ("" if len(term.effects) == 1 else f" x {len(term.effects)} effects")
            raise DesignError(
                f"`{term.group}` has {what} for {len(design.y)} rows: its variance cannot be told from the residual"
                " variance. Use a grouping factor with several rows a level, or fewer effects."
            )


def _check_outcomes(design: Design) -> None:
    trials = _trials(design)
    for outcome, count in (("success", design.y.sum()), ("failure", (trials - design.y).sum())):
        if not count > 0:
            raise DesignError(
                f"`{design.response}` holds no {outcome}: the logit of a probability of 0 or 1 is not finite."
                " Check how the outcome is coded."
            )
    single = bool(np.all(trials == 1.0))
    for term in design.terms:
        if single and len(term.levels) * len(term.effects) >= len(design.y):
            raise DesignError(
                f"`{term.group}` has {len(term.levels)} levels for {len(design.y)} single outcomes: of one 0 or 1 a"
                " level, no spread among levels can be told from chance. Use a grouping factor with several rows a"
                " level, or fewer effects."
            )


def runaways(design: Design, family: Family, link: Link, values: Parameters) -> list[str]:
    """Say which estimates run off to the end of their range, and why: one sentence each."""
    if family.name == "gaussian":
        return _exact_fit(design, values)
    found = []
    if np.any(np.abs(values.beta) * _reach(design.X) > LARGE_EFFECT):
        direction = separating_direction(_scaled(design.X), design.y, _trials(design), family, link)
        found += [] if direction is None else [_separated(design, family, direction)]
    return found + _pure_levels(design, family, values) + _poisson_in_disguise(family, values)


def separating_direction(X: Array, y: Array, trials: Array, family: Family, link: Link) -> Array | None:
    """Direction of the fixed effects along which the likelihood rises for ever: ``(p,)``, None if there is none.

    Rows with successes only must not fall along it, rows with failures (or counts of zero) only must not rise, all
    others must stay; a linear programme finds the direction that moves most (Konis 2007).
    """
    if not X.shape[1] or not _is_unbounded(family, link):
        return None
    from scipy.optimize import linprog

    low, high = y == 0, (y == trials) & (family.response == "binomial")
    bound = ~(low | high)
    free = _null_space(X[bound])
    rows = np.unique(np.where(high, 1.0, -1.0)[~bound, None] * (X[~bound] @ free), axis=0)
    if not rows.size:
        return None
    found = linprog(-rows.sum(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1.0, 1.0), method="highs")
    if found.status != 0 or -found.fun < 1e-6 * np.abs(rows).max(initial=1e-300):
        return None
    return np.asarray(free @ found.x)


def _is_unbounded(family: Family, link: Link) -> bool:
    """Whether a possible mean stands at an infinite linear predictor."""
    if family.response == "binomial":
        return link.name in {"logit", "probit", "cloglog"}
    return family.name in {"poisson", "negbinomial"} and link.name == "log"


def _null_space(rows: Array) -> Array:
    """Orthonormal basis of the directions that leave all ``rows (m, p)`` where they are."""
    if not len(rows):
        return np.eye(rows.shape[1])
    _, sizes, right = np.linalg.svd(np.linalg.qr(rows, mode="r"))
    rank = int(np.sum(sizes > 1e-9 * sizes.max(initial=1e-300)))
    return right[rank:].T


def _separated(design: Design, family: Family, direction: Array) -> str:
    moving = np.abs(direction) > 1e-6 * np.abs(direction).max()
    names = [name for name, moves in zip(design.fixed, moving, strict=True) if moves and name != "Intercept"]
    listed = ", ".join(f"`{name}`" for name in names or ["Intercept"])
    size = np.abs(_scaled(design.X) @ direction)
    rows = int(np.sum(size > 1e-6 * size.max()))
    outcome = "one outcome" if family.response == "binomial" else "a count of zero"
    return (
        f"The estimate of {listed} runs off to infinity: it separates the outcomes, at its ends (at least {rows} of"
        f" {len(design.y)} rows) there is only {outcome}. The likelihood has no maximum; what is shown is where the"
        " search stopped, and its size and standard error mean nothing. Sample with a proper prior instead"
        " (model.sample()), drop the predictor, or merge levels of the factor."
    )


def _pure_levels(design: Design, family: Family, values: Parameters) -> list[str]:
    """Groups each with one outcome only tell a variance that is larger than any number."""
    if family.response != "binomial":
        return []
    sentences = []
    for term, sd in zip(design.terms, values.sd, strict=True):
        levels = len(term.levels)
        successes = np.bincount(term.codes, design.y, levels)
        trials = np.bincount(term.codes, _trials(design), levels)
        if sd.max() > PURE_SD and np.all((successes == 0) | (successes == trials)):
            sentences.append(
                f"The standard deviation of `{term.group}` runs off to infinity: each of its levels has only"
                " successes or only failures, so that no spread is too large. Its size means nothing; sample with a"
                " proper prior instead (model.sample())."
            )
    return sentences


def _poisson_in_disguise(family: Family, values: Parameters) -> list[str]:
    """Counts that vary no more than Poisson counts tell a shape that is larger than any number."""
    if family.name != "negbinomial" or values.dispersion is None or float(values.dispersion) < NO_OVERDISPERSION:
        return []
    return [
        "The shape of the negative binomial runs off to infinity: given the predictors and random effects, the counts"
        " vary no more than Poisson counts do. Its size means nothing; all else is the Poisson model's. Fit that one"
        ' (family="poisson").'
    ]


def _exact_fit(design: Design, values: Parameters) -> list[str]:
    spread = float(np.std(design.y - design.offset))
    if values.dispersion is None or float(values.dispersion) > EXACT * spread:
        return []
    groups = ", ".join(dict.fromkeys(f"`{term.group}`" for term in design.terms))
    return [
        f"The residual standard deviation is zero to rounding: predictors and the levels of {groups} explain"
        f" `{design.response}` exactly. There is no noise to estimate, and standard errors mean nothing. Check whether"
        " the response was computed from them."
    ]


def _reach(X: Array) -> Array:
    reach = np.abs(X - X.mean(axis=0)).max(axis=0)
    return np.where(reach > 0.0, reach, 1.0)


def _scaled(X: Array) -> Array:
    """Columns of unit size."""
    size = np.sqrt(np.mean(X**2, axis=0))
    return np.asarray(X / np.where(size > 0.0, size, 1.0))


def _trials(design: Design) -> Array:
    return np.ones_like(design.y) if design.trials is None else design.trials
