"""Likelihood-ratio tests of nested fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmix.errors import SpecError
from bayesmix.inference.estimate import Ml, Reml, estimate
from bayesmix.language.arguments import explained
from bayesmix.results.fit import Estimate

if TYPE_CHECKING:
    import pandas as pd


@explained
def anova(*fits: Estimate) -> pd.DataFrame:
    """Compare nested estimates of the same data by likelihood-ratio tests, smallest model first.

    REML fits are refitted by maximum likelihood, as in lme4: restricted likelihoods of models with different fixed
    effects are not comparable.

    Returns
    -------
    DataFrame
        One row a model, named by its formula: ``npar, aic, bic, loglik, deviance, chisq, df, p_value``. The chi-squared
        test is conservative where the smaller model puts a variance at zero.

    Raises
    ------
    SpecError
        If fewer than two fits are given, or they are of different responses, rows or families.
    """
    import pandas as pd
    from scipy.special import chdtrc

    if len(fits) < 2:
        raise SpecError("anova compares at least two fits: anova(smaller, larger).")
    _check_same_data(fits)
    ordered = sorted((_by_likelihood(fit) for fit in fits), key=lambda fit: fit.df)
    rows = []
    for fit, smaller in zip(ordered, [None, *ordered[:-1]], strict=True):
        chisq = df = p = np.nan
        if smaller is not None:
            chisq, df = smaller.criterion - fit.criterion, float(fit.df - smaller.df)
            p = float(chdtrc(df, max(chisq, 0.0))) if df > 0 else np.nan
        rows.append((fit.df, fit.aic, fit.bic, fit.loglik, fit.criterion, chisq, df, p))
    columns = ["npar", "aic", "bic", "loglik", "deviance", "chisq", "df", "p_value"]
    index = pd.Index([fit.spec.formula.text for fit in ordered], name="model")
    return pd.DataFrame(rows, index=index, columns=columns)


def _check_same_data(fits: tuple[Estimate, ...]) -> None:
    first = fits[0]
    for fit in fits[1:]:
        if fit.spec.family.name != first.spec.family.name:
            raise SpecError("anova compares fits of one family: their likelihoods are densities of different things.")
        same = len(fit.design.y) == len(first.design.y) and np.array_equal(fit.design.y, first.design.y)
        if not same:
            raise SpecError(
                "anova compares fits of the same rows of the same response; these differ"
                f" ({len(first.design.y)} and {len(fit.design.y)} rows). Drop rows with missing values beforehand."
            )


def _by_likelihood(fit: Estimate) -> Estimate:
    if not isinstance(fit.point.method, Reml):
        return fit
    refitted = estimate(fit.design, fit.spec.family, fit.spec.link, Ml())
    return Estimate(fit.fitted_model, refitted)
