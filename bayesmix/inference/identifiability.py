"""What the data cannot tell: found before a fit where possible, after it otherwise, and said in words."""

from __future__ import annotations

import numpy as np

from bayesmix.data.design import Design
from bayesmix.errors import DesignError
from bayesmix.inference.correlation import Autoregressive
from bayesmix.inference.covariance import structure_of
from bayesmix.language.family import Family, Link

Array = np.ndarray

LARGE_EFFECT = 12.0  # on a logit or log scale: odds or rates of 160 000 to 1


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
    trials = np.ones_like(design.y) if design.trials is None else design.trials
    for outcome, count in (("success", design.y.sum()), ("failure", (trials - design.y).sum())):
        if not count > 0:
            raise DesignError(
                f"`{design.response}` holds no {outcome}: the logit of a probability of 0 or 1 is not finite."
                " Check how the outcome is coded."
            )


def separation(design: Design, family: Family, beta: Array, beta_cov: Array, *, ridge: bool) -> str | None:
    """Describe fixed effects that run off to infinity, None if there are none.

    Complete separation shows as an effect over the range of its predictor that is huge, with a huge standard error or
    on a ``ridge`` of the likelihood.
    """
    if family.name not in {"binomial", "bernoulli", "poisson", "negbinomial"} or not len(beta):
        return None
    reach = np.abs(design.X - design.X.mean(axis=0)).max(axis=0)
    reach = np.where(reach > 0.0, reach, 1.0)
    error = np.sqrt(np.maximum(np.diagonal(beta_cov), 0.0))
    runaway = (np.abs(beta) * reach > LARGE_EFFECT) & ((error > 0.5 * np.abs(beta)) | ridge)
    names = [name for name, bad in zip(design.fixed, runaway, strict=True) if bad]
    if not names:
        return None
    listed = ", ".join(f"`{name}`" for name in names)
    return (
        f"The estimate of {listed} runs off to infinity: the predictor separates the outcomes completely. Its size and"
        " standard error mean nothing; sample with a proper prior instead (model.sample()), or drop the predictor."
    )
