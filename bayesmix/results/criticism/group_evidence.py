"""Whether a posterior needs a grouping factor: its Bayes factor, and the share of draws where it hardly matters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayesmix.errors import SpecError
from bayesmix.results.criticism.cross_validation import bayes_factor
from bayesmix.results.criticism.term_evidence import FACTORS
from bayesmix.results.criticism.variance_tests import check_group, without_group
from bayesmix.results.fits.linear_predictor import residual_sds
from bayesmix.results.fits.records import PosteriorRecord
from bayesmix.results.fits.refit import sampled_like
from bayesmix.results.fits.updated_model import updated_model
from bayesmix.results.tables.anova_table import anova_table

if TYPE_CHECKING:
    from bayesmix.arrays import Array

TENTH = 0.1  # of the residual standard deviation, or of the link, below which a standard deviation hardly matters
SUBSTANTIAL = 3.0  # Bayes factor from which on there is something to say (Kass and Raftery 1995)


def group_evidence(post: PosteriorRecord, group: str, *, seed: int, progress: bool) -> pd.DataFrame:
    """One row: ``small``, the share of draws without a standard deviation that matters, and the Bayes factor.

    Raises
    ------
    SpecError
        If it is no grouping factor of the model.
    """
    check_group(post, group)
    small = small_share(post, group)
    try:
        found = _bayes_factor(post, group, seed, progress)
        notes = [_verdict(group, found["bayes_factor"]), "It depends on the prior of the standard deviations."]
    except SpecError as error:
        found = dict.fromkeys(FACTORS, np.nan)
        notes = [f"No Bayes factor: {error}"]
    columns = {"small": [small], **{name: [value] for name, value in found.items()}}
    return anova_table(columns, pd.Index([group], name="group"), heading=f"Posterior of `{group}`", notes=notes)


def small_share(post: PosteriorRecord, group: str) -> float:
    """Share of draws in which all standard deviations of a group are below a tenth of the residual one.

    Where there is no residual standard deviation, below a tenth on the scale of the linear predictor.
    """
    sds = [sd for term, sd in zip(post.design.terms, post.values.sd, strict=True) if term.group == group]
    largest = np.max(np.concatenate(sds, axis=-1), axis=-1)
    return float(np.mean(largest < TENTH * _unit(post)))


def _unit(post: PosteriorRecord) -> Array | float:
    residual = [sigma for _, sigma in residual_sds(post.design, post.spec, post.values)]
    return np.asarray(residual[0]) if len(residual) == 1 else 1.0


def _bayes_factor(post: PosteriorRecord, group: str, seed: int, progress: bool) -> dict[str, float]:
    _ = post.log_evidence  # what has none is refused before the other model is sampled
    other = sampled_like(post, updated_model(post, without_group(post, group)), seed=seed, progress=progress)
    try:
        _ = other.log_evidence
    except SpecError:
        raise SpecError(
            f"the posterior without `{group}` was drawn by {other.method}, which has no marginal likelihood."
        ) from None
    return bayes_factor(post, other)


def _verdict(group: str, factor: float) -> str:
    times = f"{max(factor, 1.0 / factor):.3g} times" if factor > 0.0 and math.isfinite(factor) else "far"
    if factor >= SUBSTANTIAL:
        return f"`{group}` is needed: the data are {times} as probable with it as without."
    if factor <= 1.0 / SUBSTANTIAL:
        return f"`{group}` is not needed: the data are {times} as probable without it as with it."
    return f"The data do not say whether `{group}` is needed: they are about as probable without it."
