"""Methods of an estimate for how uncertain its parameters are: intervals, bootstrap, robust covariance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bayesmix.inference.estimation.cluster_robust import Kind
from bayesmix.language.arguments import explained
from bayesmix.results.criticism.confidence_intervals import confidence_intervals
from bayesmix.results.fits.records import EstimateRecord
from bayesmix.results.fits.robust_covariance import RobustCovariance, robust_covariance

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    import pandas as pd


@explained
class Intervals(EstimateRecord):
    """Confidence intervals, the replicates of the bootstrap, covariances that hold in clusters whatever the model."""

    def confint(  # noqa: PLR0913 - options of the bootstrap, named
        self,
        parameters: str | Sequence[str] | None = None,
        *,
        level: float = 0.95,
        method: str = "profile",
        replicates: int = 1000,
        kind: str = "percentile",
        seed: int = 1,
        executor: Executor | None = None,
        progress: bool = True,
        checkpoint: str | Path | None = None,
        vcov: RobustCovariance | None = None,
    ) -> pd.DataFrame:
        """Confidence intervals, columns ``lower, upper``.

        Parameters
        ----------
        parameters : a name as in `parameters`, or several; all by default. A method may stand here alone,
            ``confint("bootstrap")``.
        level : coverage.
        method : ``"profile"`` likelihood (any parameter; REML fits are profiled by maximum likelihood), ``"wald"`` or
            ``"satterthwaite"``, ``"kenward-roger"`` (fixed effects; t quantiles), parametric ``"bootstrap"`` (any).
        replicates, kind : of the bootstrap; ``"percentile"``, ``"basic"`` or ``"bca"``, corrected for bias and for the
            acceleration, which is that of the jackknife over the levels of a grouping factor.
        seed, executor, checkpoint : of the bootstrap, as in `bootstrap`.
        progress : show a bar with the time left, of profiles and of the bootstrap.
        vcov : a robust covariance, of `robust_vcov`, for ``"satterthwaite"`` and ``"wald"``.

        Returns
        -------
        DataFrame
            One row a parameter. A profile limit is where the profile deviance has the critical value to 1e-4; the end
            of the parameter's range (0, -1, 1) or infinite where it stays below; NaN where no limit was found. Limits
            that are no numbers are warned about, and ``attrs["notes"]`` says why.
        """
        options: dict[str, Any] = {"replicates": replicates, "kind": kind, "seed": seed, "executor": executor}
        options |= {"progress": progress, "checkpoint": checkpoint}
        return confidence_intervals(self, parameters, level, method, vcov, **options)

    def bootstrap(
        self,
        replicates: int = 1000,
        *,
        seed: int = 1,
        executor: Executor | None = None,
        progress: bool = True,
        checkpoint: str | Path | None = None,
    ) -> pd.DataFrame:
        """Estimates for responses drawn from this one, random effects included: one row a replicate.

        The parametric bootstrap, as lme4's ``bootMer``. Linear models are fitted all at once.

        Parameters
        ----------
        executor : any ``concurrent.futures.Executor``; here, one after the other, if None.
        checkpoint : file in which what is finished is kept, 200 replicates at a time. What was stopped goes on from
            there, with the replicates of a bootstrap that was not.

        Returns
        -------
        DataFrame
            One column a parameter; NaN where a refit failed. ``attrs`` has the number of ``failed`` refits, and of
            those that are ``singular``.
        """
        from bayesmix.results.criticism.bootstrap import Options, bootstrap

        return bootstrap(self, Options(replicates, seed, executor=executor, progress=progress, checkpoint=checkpoint))

    def robust_vcov(self, cluster: str | Sequence[Any], kind: Kind = "CR2") -> RobustCovariance:
        """Cluster-robust covariance of the fixed effects, for ``vcov=`` of every table; ``to_frame()`` is the matrix.

        It holds whatever the variances and correlations of the rows of a cluster are, as clubSandwich has it, with
        Satterthwaite's degrees of freedom and, of joint tests, Hotelling's T-squared.

        Parameters
        ----------
        cluster : grouping factor or column of the model in which all grouping factors are nested, or one value a row.
        kind : ``"CR2"``, without bias where the model is right; ``"CR1"``, times ``J / (J - 1)`` of J clusters; or
            ``"CR0"``, neither.
        """
        return robust_covariance(self, cluster, kind)
