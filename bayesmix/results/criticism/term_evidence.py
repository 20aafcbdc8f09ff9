"""Whether a posterior needs each of its terms: Bayes factors and predictive densities of models without them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bayesmix.errors import SpecError
from bayesmix.results.criticism.cross_validation import bayes_factor, loo
from bayesmix.results.criticism.likelihood_ratios import check_same_rows
from bayesmix.results.criticism.single_deletions import deletions
from bayesmix.results.fits.refit import sampled_like
from bayesmix.results.fits.updated_model import updated_model
from bayesmix.results.tables.anova_table import anova_table

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.criticism.elpd import Elpd
    from bayesmix.results.fits.records import PosteriorRecord

FACTORS = ("log_bayes_factor", "error", "bayes_factor", "probability")
PRIORS = "Bayes factors are of the model with the term over that without, and depend on its prior."


def evidence_of_terms(post: PosteriorRecord, *, seed: int, progress: bool) -> pd.DataFrame:
    """The model without each term in turn, those that others contain excepted: Bayes factor and elpd, a row a term.

    Bayes factors are NaN, with a note, where the marginal likelihood is not known or, under flat priors, not defined.
    """
    import pandas as pd

    whole, rows, notes, labels = loo(post, refit=None, seed=seed), [], dict[str, None](), []
    for one in deletions(post):
        model = updated_model(post, one.change)
        check_same_rows(post.design, model.design, f"without `{one.label}`")
        other = sampled_like(post, model, seed=seed, progress=progress)
        try:
            found = bayes_factor(post, other)
            notes[PRIORS] = None
        except SpecError as error:
            found = dict.fromkeys(FACTORS, math.nan)
            notes[f"No Bayes factors: {error}"] = None
        labels.append(one.label)
        rows.append((*(found[name] for name in FACTORS), *_difference(whole, loo(other, refit=None, seed=seed))))
    columns = dict(zip((*FACTORS, "elpd_diff", "elpd_se"), np.array(rows, float).reshape(-1, 6).T, strict=True))
    heading = "Single term deletions, by posteriors without them"
    return anova_table(columns, pd.Index(labels, name="term"), heading=heading, notes=list(notes))


def _difference(whole: Elpd, other: Elpd) -> tuple[float, float]:
    """Expected log predictive density of a model less that of another, and its standard error."""
    pointwise = whole.elpd_i.to_numpy() - other.elpd_i.to_numpy()
    return float(pointwise.sum()), float(np.sqrt(len(pointwise) * pointwise.var()))
