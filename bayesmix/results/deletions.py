"""Methods of fits that hold their model against one without some of its terms."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmix.language.arguments import explained
from bayesmix.results.criticism.likelihood_ratios import Replication
from bayesmix.results.criticism.single_deletions import single_deletions
from bayesmix.results.criticism.variance_tests import group_test, random_deletions
from bayesmix.results.fits.records import EstimateRecord, PosteriorRecord

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.results.fits.robust_covariance import RobustCovariance


@explained
class Deletions(EstimateRecord):
    """What is lost without a term."""

    def drop1(  # noqa: PLR0913 - options of a test, named
        self,
        *,
        test: str | None = None,
        df: str | None = None,
        vcov: RobustCovariance | None = None,
        replicates: int = 1000,
        seed: int = 0,
        executor: Executor | None = None,
        progress: bool = True,
        checkpoint: str | Path | None = None,
    ) -> pd.DataFrame:
        """Tests of the model without each term in turn, those that others contain excepted.

        Parameters
        ----------
        test : ``"F"``, the default of linear models, as lmerTest's, of smooths as in `Estimate.smooth_terms`;
            ``"lrt"``, that of all others: likelihood ratios of refits by maximum likelihood; ``"bootstrap"``,
            likelihood ratios beside those of simulated data.
        df, vcov : of F tests: ``"satterthwaite"``, ``"kenward-roger"``, or ``"asymptotic"``; a robust covariance.
        replicates, seed, executor, progress, checkpoint : of simulated data sets, as in `bayesmix.anova`.

        Returns
        -------
        DataFrame
            ``sum_sq, mean_sq, num_df, den_df, F, p_value``; or ``npar, aic, lrt, p_value``: the number of the term's
            parameters, and the AIC without it.
        """
        return single_deletions(self, df, vcov, test, Replication(replicates, seed, executor, progress, checkpoint))

    def ranova(
        self,
        *,
        test: str = "lrt",
        replicates: int | None = None,
        seed: int = 0,
        executor: Executor | None = None,
        progress: bool = True,
        checkpoint: str | Path | None = None,
    ) -> pd.DataFrame:
        """Tests of the model without each of its random effects in turn, as lmerTest's ``ranova``.

        Parameters
        ----------
        test : ``"lrt"``, chi-square p-values, conservative where a variance is tested at zero; ``"rlrt"``, restricted
            likelihood ratios of linear models with their own distribution, as of `bayesmix.anova`; ``"bootstrap"``.
        replicates, seed, executor, progress, checkpoint : as in `bayesmix.anova`.

        Returns
        -------
        DataFrame
            ``npar, loglik, aic`` without the effect; ``lrt, df, p_value``.
        """
        return random_deletions(self, test, Replication(1000, seed, executor, progress, checkpoint), replicates)

    def test_group(
        self,
        group: str,
        *,
        replicates: int | None = None,
        seed: int = 0,
        executor: Executor | None = None,
        progress: bool = True,
        checkpoint: str | Path | None = None,
    ) -> pd.DataFrame:
        """Whether a grouping factor is needed: the model without all of its random effects; ``print`` it.

        Parameters
        ----------
        group : grouping factor, ``"Subject"``.
        replicates, seed, executor, progress, checkpoint : as in `bayesmix.anova`.

        Returns
        -------
        DataFrame
            ``rlrt`` (linear models) or ``lrt``, ``df, p_value`` by simulation, ``mc_error, replicates``.
        """
        return group_test(self, group, Replication(1000, seed, executor, progress, checkpoint), replicates)


@explained
class Evidence(PosteriorRecord):
    """What the data say of a term and of a grouping factor."""

    def drop1(self, *, seed: int = 0, progress: bool = True) -> pd.DataFrame:
        """Whether each term is needed, by posteriors without it, those that others contain excepted; ``print`` it.

        Parameters
        ----------
        seed, progress : of the other posteriors, as of ``model.sample``.

        Returns
        -------
        DataFrame
            ``log_bayes_factor`` of the model with the term over that without, its Monte Carlo ``error``,
            ``bayes_factor`` and ``probability``, as of `bayesmix.bayes_factor`; NaN where there is no evidence, under
            flat priors first of all. ``elpd_diff``, what the term adds to the expected log predictive density by
            leave-one-out cross-validation, and its standard error ``elpd_se``.
        """
        from bayesmix.results.criticism.term_evidence import evidence_of_terms

        return evidence_of_terms(self, seed=seed, progress=progress)

    def test_group(self, group: str, *, seed: int = 0, progress: bool = True) -> pd.DataFrame:
        """Whether a grouping factor is needed, by a posterior without it; ``print`` it.

        Parameters
        ----------
        group : grouping factor, ``"Subject"``.
        seed, progress : of the other posterior, as of ``model.sample``.

        Returns
        -------
        DataFrame
            ``small``, the share of draws in which all standard deviations of the group are below a tenth of the
            residual one; ``log_bayes_factor`` of the model with the group over that without, its Monte Carlo ``error``,
            ``bayes_factor`` and ``probability``, as of `bayesmix.bayes_factor`; NaN where there is no evidence.
        """
        from bayesmix.results.criticism.group_evidence import group_evidence

        return group_evidence(self, group, seed=seed, progress=progress)
