"""Range of every parameter by its name: what modes, densities, limits and changed values go by."""

from __future__ import annotations

from itertools import chain

import numpy as np

from bayesmix.data.design.design import Design
from bayesmix.inference.parameters.names import LEAST_DF, corr_kinds, corr_names, df_name, heavy_tailed, sd_names
from bayesmix.inference.parameters.natural_scale import number_columns, residual_columns, simplex_columns
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.linear_predictor import last_shares
from bayesmix.results.fits.marginal_summary import Range

REAL, POSITIVE, CORRELATION, SHARE = (-np.inf, np.inf), (0.0, np.inf), (-1.0, 1.0), (0.0, 1.0)
OF_LINKS: dict[str, Range] = {  # of the means of links
    "real": REAL,
    "positive": POSITIVE,
    "unit": SHARE,
    "one_to_two": (1.0, 2.0),
    "correlation": CORRELATION,
    "angle": (-np.pi, np.pi),
}


def parameter_ranges(design: Design, spec: ModelSpec) -> dict[str, Range]:
    """Least and largest value of every parameter, in the order of `parameter_names`."""
    found = dict.fromkeys(design.fixed, REAL)
    found |= {design.fixed[j]: OF_LINKS[link.range] for j, link in number_columns(design.layout)}
    found |= {design.fixed[j]: CORRELATION for j in residual_columns(design.layout)}
    found |= {design.fixed[j]: SHARE for own in simplex_columns(design.layout) for j in own}
    found |= dict.fromkeys(chain(*sd_names(design.terms)), POSITIVE)
    for term, names in zip(design.terms, corr_names(design.terms), strict=True):
        pairs = zip(names, corr_kinds(term), strict=True)
        found |= {name: CORRELATION if kind == "corr" else POSITIVE for name, kind in pairs}
    found |= dict.fromkeys(map(df_name, heavy_tailed(design.terms)), (LEAST_DF, np.inf))
    found |= dict.fromkeys(last_shares(design), SHARE)
    return found if spec.dispersion is None else found | {spec.dispersion: POSITIVE}
