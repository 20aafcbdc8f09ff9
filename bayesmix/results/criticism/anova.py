"""Likelihood-ratio tests of nested fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import is_same_response
from bayesmix.data.design.response import Outcome
from bayesmix.errors import SpecError
from bayesmix.language.arguments import explained
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import Link
from bayesmix.results.fits.named_fits import by_formula, named_fits
from bayesmix.results.fits.records import EstimateRecord
from bayesmix.results.fits.refit import by_maximum_likelihood

if TYPE_CHECKING:
    import pandas as pd

SPAN = 1e-8  # relative distance of a column from the space of others within which it lies in it


@explained
def anova(*fits: EstimateRecord | Mapping[str, EstimateRecord], labels: Sequence[str] | None = None) -> pd.DataFrame:
    """Compare estimates of the same data by their likelihoods, smallest model first; by tests where they are nested.

    REML fits are refitted by maximum likelihood, as in lme4: restricted likelihoods of models with different fixed
    effects are not comparable.

    Parameters
    ----------
    *fits : estimates, or a dict of them by label.
    labels : names of the models; their formulas by default, with the family where these are the same.

    Returns
    -------
    DataFrame
        One row a model: ``npar, aic, bic, loglik, deviance, chisq, df, p_value, boundary``, the test being against the
        model before. Blank where that is not nested in it, in its fixed effects, link and family: AIC and BIC compare
        them still. A Poisson model is nested in the negative binomial one, whose shape is infinite there. Where
        ``boundary``, the smaller model is on the edge of the larger one (a variance of zero, an infinite shape), and
        the chi-squared test is conservative: with one such parameter and no other, half its p-value is right.

    Raises
    ------
    SpecError
        If fewer than two estimates are given, or their likelihoods are not densities of the same data.
    """
    import pandas as pd

    named = named_fits(fits, labels, "anova", wanted=(EstimateRecord,), default=by_formula)
    if len(named) < 2:
        raise SpecError("anova compares at least two fits: anova(smaller, larger).")
    _check_same_data(list(named.values()))
    ordered = sorted(((label, by_maximum_likelihood(fit)) for label, fit in named.items()), key=lambda pair: pair[1].df)
    rows = []
    for (_, fit), smaller in zip(ordered, [None, *(fit for _, fit in ordered[:-1])], strict=True):
        rows.append((fit.df, fit.aic, fit.bic, fit.loglik, fit.criterion, *_tested(smaller, fit)))
    columns = ["npar", "aic", "bic", "loglik", "deviance", "chisq", "df", "p_value", "boundary"]
    return pd.DataFrame(rows, index=pd.Index([label for label, _ in ordered], name="model"), columns=columns)


def _tested(smaller: EstimateRecord | None, larger: EstimateRecord) -> tuple[float, float, float, bool]:
    """Chi-squared statistic, degrees of freedom, p-value, and whether the smaller model is on the larger one's edge."""
    from scipy.special import chdtrc

    if smaller is None or not _is_nested(smaller, larger):
        return np.nan, np.nan, np.nan, False
    chisq, df = smaller.criterion - larger.criterion, float(larger.df - smaller.df)
    p = float(chdtrc(df, max(chisq, 0.0))) if df > 0 else np.nan
    has_more_variances = larger.point.coordinates.size > smaller.point.coordinates.size
    pairs = zip(_families(smaller), _families(larger), strict=True)
    return chisq, df, p, has_more_variances or not all(_is_same(few, many) for few, many in pairs)


def _families(fit: EstimateRecord) -> list[Family]:
    return [response.family for response in fit.spec.responses]


def _is_same(first: Family, second: Family) -> bool:
    """Whether families are one, or that of the same categories, with or without a parameter that may be left out."""
    if first.recipe is None or second.recipe is None:
        return first is second
    return first.recipe[:3] == second.recipe[:3]  # name, levels, link


def _is_nested(smaller: EstimateRecord, larger: EstimateRecord) -> bool:
    """Whether the larger model has the smaller one's families, as themselves or as limits, links, offsets and columns.

    Parameters of the distribution are compared one by one; one without a formula has a column of ones.
    """
    for few, many in zip(_families(smaller), _families(larger), strict=True):
        if not (_is_same(few, many) or few.name in many.limits):
            return False
    if any(not np.array_equal(one.weights, other.weights) for one, other in _outcomes(smaller, larger)):
        return False
    many_parts = _parts(larger)
    return all(_is_within(part, many_parts[key]) for key, part in _parts(smaller).items())


def _outcomes(first: EstimateRecord, second: EstimateRecord) -> Iterable[tuple[Outcome, Outcome]]:
    return zip(first.design.outcomes, second.design.outcomes, strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The fixed part of one parameter's linear predictor."""

    link: Link
    X: Array  # (n, p)
    offset: Array  # (n,)


def _parts(fit: EstimateRecord) -> dict[tuple[int, int], _Part]:
    """By response and parameter."""
    design, n = fit.design, fit.design.n
    found = {
        (i, j): _Part(link, np.ones((n, 1)), np.zeros(n))
        for i, response in enumerate(fit.spec.responses)
        for j, link in enumerate(response.links)
    }
    for r, one in enumerate(fit.spec.parameters):
        own = design.block(r)
        found[one.response, one.parameter] = _Part(one.link, design.X[own, design.of_predictor(r)], design.offset[own])
    return found


def _is_within(part: _Part, larger: _Part) -> bool:
    """Whether a fixed part is a special case of another."""
    if part.link != larger.link or not np.array_equal(part.offset, larger.offset):
        return False
    Q = np.linalg.qr(larger.X)[0]
    outside = part.X - Q @ (Q.T @ part.X)
    return bool(np.all(np.linalg.norm(outside, axis=0) <= SPAN * np.linalg.norm(part.X, axis=0)))


def _check_same_data(fits: Sequence[EstimateRecord]) -> None:
    first = fits[0]
    for fit in fits[1:]:
        if not is_same_response(first.design, fit.design):
            raise SpecError(
                f"anova compares fits of the same rows of the same response; these differ (`{first.design.response}`,"
                f" {len(first.design.y)} and `{fit.design.response}`, {len(fit.design.y)} rows). Drop rows with missing"
                " values beforehand."
            )
        for one, other in zip(_families(first), _families(fit), strict=True):
            if one.values.is_discrete != other.values.is_discrete:
                raise SpecError(
                    f"anova compares likelihoods of one kind: `{one.name}` and `{other.name}` give probabilities and"
                    " densities, whose ratio depends on the unit of the response."
                )
