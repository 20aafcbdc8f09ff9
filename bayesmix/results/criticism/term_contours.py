"""Joint credible tests of whole terms: the ellipsoids about the posterior mean on whose boundary they are zero."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, get_args

from bayesmix.errors import SpecError
from bayesmix.inference.estimation.term_contrasts import Type
from bayesmix.results.criticism.term_tests import ROMAN, contrasts_of_terms, draws_of_beta
from bayesmix.results.fits.credible_regions import Contour, contour
from bayesmix.results.tables.anova_table import anova_table

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.records import PosteriorRecord

CONTENT = "P(inside): of the ellipsoid about the posterior mean on whose boundary the term is zero."


def joint_table(post: PosteriorRecord, kind: Type) -> pd.DataFrame:
    """Joint credible tests of the terms of every parameter with a formula: ``rank, distance, content``, a row a term.

    Parameters
    ----------
    kind : 1, 2 or 3, of the contrasts that are zero without a term.

    Raises
    ------
    SpecError
        If there is no such type.
    """
    import pandas as pd

    if kind not in get_args(Type):
        raise SpecError(f"Tests of terms are of type 1, 2 or 3, not {kind!r}.")
    beta = draws_of_beta(post)
    found = {
        label: contour(beta @ L.T) if len(L) else Contour(0, math.nan, math.nan)
        for label, L in contrasts_of_terms(post, kind)
    }
    columns = {name: [getattr(one, name) for one in found.values()] for name in ("rank", "distance", "content")}
    heading = f"Type {ROMAN[kind]} joint credible tests of terms"
    return anova_table(columns, pd.Index(list(found), name="term"), heading=heading, notes=[CONTENT])
