"""Cluster-robust covariances as users hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.data.design.rebuild import to_frame
from bayesmix.errors import DataError, SpecError, nearest
from bayesmix.inference.estimation.cluster_robust import ClusterRobust, Kind, cluster_robust
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.results.fits.degrees_of_freedom import is_linear
from bayesmix.results.fits.records import EstimateRecord

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class RobustCovariance:
    """A cluster-robust covariance of the fixed effects of an estimate: give it to its verbs as ``vcov=``."""

    kind: str  # "CR0", "CR1", "CR2"
    cluster: str
    clusters: int
    names: tuple[str, ...]  # of the fixed effects of the mean
    inference: ClusterRobust
    point: PointEstimate  # of the fit that it is of

    @property
    def words(self) -> str:
        """What it is, for tables."""
        return f"cluster-robust covariance {self.kind}, {self.clusters} clusters of {self.cluster}"

    def to_frame(self) -> pd.DataFrame:
        """The covariance matrix by the names of the fixed effects of the mean."""
        import pandas as pd

        own = slice(len(self.names))  # other parameters come after them
        return pd.DataFrame(self.inference.cov[own, own], list(self.names), list(self.names))

    def __repr__(self) -> str:
        return f"{self.words[0].upper()}{self.words[1:]}\n{self.to_frame()}"


def robust_covariance(fit: EstimateRecord, cluster: str | Sequence[Any], kind: Kind) -> RobustCovariance:
    """The covariance that holds whatever the covariance of rows within clusters, with clusters enough.

    Raises
    ------
    SpecError
        If the model is not linear, there is no such kind, or random effects or blocks of correlated residuals are not
        nested in clusters.
    """
    if kind not in get_args(Kind):
        hint = nearest(kind, get_args(Kind)) if isinstance(kind, str) else ""
        raise SpecError(f"There is no robust covariance kind={kind!r}.{hint} Choices: {', '.join(get_args(Kind))}.")
    if not is_linear(fit) and not fit.spec.has_row_covariance:
        raise SpecError(
            "Cluster-robust covariances are of linear mixed models of one response with one residual variance, or with"
            " a residual structure. For others ask for a bootstrap of the clusters, or let the model say how they"
            " differ: (1 | cluster)."
        )
    fit.design.check_independent("a cluster-robust covariance", "Take that of the model, vcov=None.")
    name, labels = _labels(fit, cluster)
    found, codes = np.unique(labels, return_inverse=True)
    if len(found) < 2:
        raise SpecError(f"`{name}` has {len(found)} cluster: robust covariances need two, and should have twenty.")
    for term in fit.design.terms:
        if term.is_population:
            raise SpecError(
                f"All clusters of `{name}` share the curve `{term.smooth}`: rows of different clusters depend on each"
                " other. Take `bs(x, df = 5)` in its place, or a bootstrap of the clusters."
            )
        if _is_divided(term.codes[: len(codes)], codes):
            raise SpecError(
                f"Levels of `{term.group}` are in several clusters of `{name}`: rows of different clusters depend on"
                " each other. Cluster by the coarsest factor, in which all others are nested."
            )
    if fit.design.data.blocks is not None and _is_divided(fit.design.data.blocks.block, codes):
        raise SpecError(
            f"Blocks of `{fit.design.data.blocks.structure.term}` are in several clusters of `{name}`: rows of"
            " different clusters depend on each other. Cluster by what its blocks are levels of, or are nested in."
        )
    inference = cluster_robust(fit.design, fit.spec, fit.point, codes, kind)
    owners = fit.design.layout.owners
    names = tuple(name for name, owner in zip(fit.design.fixed, owners, strict=True) if owner == 0)
    return RobustCovariance(kind, name, len(found), names, inference, fit.point)


def _is_divided(levels: Array, clusters: Array) -> bool:
    """Whether rows of one level are in several clusters."""
    first = np.zeros(int(levels.max(initial=0)) + 1, dtype=clusters.dtype)
    first[levels] = clusters
    return bool(np.any(first[levels] != clusters))


def _labels(fit: EstimateRecord, cluster: str | Sequence[Any]) -> tuple[str, Array]:
    """Name of the clusters and the cluster of each row ``(n,)``: a grouping factor, a column, or values."""
    design = fit.design
    if not isinstance(cluster, str):
        design.check_rows("A cluster for each row")
        values = np.asarray(cluster)
        if values.shape != (design.n,):
            raise DataError(f"Clusters are one value a row that is used, {design.n}, not {values.shape}.")
        return "the values given", values.astype(str)
    for term in design.terms:
        if term.group == cluster and not term.is_population:
            return cluster, term.codes[: design.n]
    columns = _columns(design)
    if cluster not in columns:
        known = [*dict.fromkeys([*design.group_sizes, *columns])]
        raise DataError(
            f"`{cluster}` is no grouping factor and no column of the model.{nearest(cluster, known)} It has"
            f" {', '.join(known)}. Clusters that the formula does not name are given as values, one a row."
        )
    return cluster, columns[cluster].iloc[design.rows].astype(str).to_numpy()


def _columns(design: Design) -> pd.DataFrame:
    """Columns that clusters may be; of data that stay where they are those by which their sums were made."""
    import pandas as pd

    if design.source is None:
        return pd.DataFrame()
    condensed = design.source.condensed
    return to_frame(design.source.columns if condensed is None else condensed.keys)
