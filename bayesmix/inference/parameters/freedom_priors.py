"""Priors of the degrees of freedom of t distributed effects of groups."""

from __future__ import annotations

from bayesmix.inference.parameters.named_priors import NamedPriors
from bayesmix.inference.parameters.names import LEAST_DF, df_name
from bayesmix.language.priors.above import Above
from bayesmix.language.priors.prior import Prior

DEFAULT = Prior("Gamma", (2.0, 0.1))  # brms's, of any preset (Juarez, Steel 2010, J. Bus. Econ. Stat. 28)


def of_freedom(named: NamedPriors, group: str) -> Above:
    """The prior of the degrees of freedom of a grouping factor's effects, given that they are more than one."""
    return Above(named.find([df_name(group), "df"]) or DEFAULT, LEAST_DF)
