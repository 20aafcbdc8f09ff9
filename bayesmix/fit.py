"""Fits as users hold them: records with a method for each verb, of one line."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, override

from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.draws import Draws, fresh_seed
from bayesmix.language.arguments import explained
from bayesmix.results.criticism.heterogeneity import HeterogeneityTable, heterogeneity
from bayesmix.results.criticism.variance_explained import intraclass, r_squared, scalar_table
from bayesmix.results.cross_validation import CrossValidation
from bayesmix.results.deletions import Deletions, Evidence
from bayesmix.results.fits.chosen_parameter import choose
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.fixed_inference import fixed_inference, fixed_table
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.refit import estimated_like, extended, sampled_like
from bayesmix.results.fits.robust_covariance import RobustCovariance
from bayesmix.results.fits.smooth_terms_table import smooth_terms
from bayesmix.results.intervals import Intervals
from bayesmix.results.prediction.predict import Groups
from bayesmix.results.prediction.simulation import check_statistics, posterior_predictive
from bayesmix.results.questions import Questions
from bayesmix.results.storage.arviz_view import ArvizView
from bayesmix.results.storage.datatree import to_datatree
from bayesmix.results.tables.short_form import brief_estimate, brief_posterior
from bayesmix.results.tables.summary import summarise_estimate, summarise_posterior
from bayesmix.results.tables.tidy import tidy_estimate, tidy_posterior
from bayesmix.results.updates import Updates

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesmix.results.criticism.diagnosis import Diagnosis
    from bayesmix.results.criticism.variance_explained import Definition
    from bayesmix.results.prediction.simulation import Statistic
    from bayesmix.results.tables.summary import Summary


@explained
class Fit(Questions, Updates):
    """A fitted model. `Estimate` and `Posterior` differ in the leading axes of ``values`` only."""

    @abstractmethod
    def summary(self) -> Summary:
        """The fit as text in lme4's layout; ``print`` it."""

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the fit, model and data included, as a Zarr directory that `bayesmix.load` reads.

        Parameters
        ----------
        path : of the directory, ``"fit.zarr"``; an existing one is left alone.
        overwrite : replace a fit that was saved there; anything else is still left alone.
        """
        from bayesmix.results.storage.fit_storage import save

        save(self, path, data=self._tree(), overwrite=overwrite)

    def _tree(self) -> xr.DataTree | None:
        """What is saved beside the numbers: the groups of a posterior for ArviZ."""
        return None

    @abstractmethod
    def tidy(self, effects: Sequence[str] = ("fixed", "ran_pars"), *, interval: float = 0.95) -> pd.DataFrame:
        """The fit as a long table in the columns of R's broom.mixed.

        Parameters
        ----------
        effects : of ``"fixed"``, ``"ran_pars"`` (standard deviations and correlations) and ``"ran_vals"`` (the random
            effects of every level).
        interval : probability of ``conf.low, conf.high``.
        """

    def r2(self, definition: Definition = "nakagawa", *, response: str | None = None) -> pd.DataFrame:
        """R2 of fixed effects and smooths alone (``marginal``) and with the random effects (``conditional``).

        Parameters
        ----------
        definition : ``"nakagawa"``, variances on the scale of the linear predictor (Nakagawa et al. 2017, random slopes
            after Johnson 2014), or ``"bayesian"``, of means against responses (Gelman et al. 2019). Either is about the
            effects on the mean; what varies in other parameters, as ``sigma``, is averaged over rows and groups.
        response : of several; the first by default.
        """
        number = choose(self.spec, response=response).response
        return scalar_table(self, r_squared(self.design, self.spec, self.with_effects, definition, response=number))

    def icc(self, *, response: str | None = None) -> pd.DataFrame:
        """Intraclass correlations: shares of the grouping factors in the variance that fixed effects and smooths leave.

        Parameters
        ----------
        response : of several; the first by default.
        """
        number = choose(self.spec, response=response).response
        return scalar_table(self, intraclass(self.design, self.spec, self.with_effects, response=number))

    def heterogeneity(self, *, response: str | None = None) -> HeterogeneityTable:
        """Of a meta-analysis, ``y | se(s) ~ ...``: variances between effects, I2 and H2, one a row; Cochran's Q.

        ``tau`` is the standard deviation of true effects, ``tau2`` its square, ``I2`` its share of all variance beside
        the typical sampling variance, as metafor has it, and ``H2 = 1 / (1 - I2)``; of several grouping factors, and of
        sigma beside the errors, ``tau(g)`` and ``I2(g)`` each. Printed, the table has Cochran's test of equal effects,
        ``attrs["Q"]``. True effects of new studies are ``predict(newdata, groups="new", kind="mean")``: their intervals
        are prediction intervals, with ``df="asymptotic"`` metafor's.

        Parameters
        ----------
        response : of several; the first by default.
        """
        return heterogeneity(self, response=response)

    @abstractmethod
    def diagnose(self) -> Diagnosis:
        """What is wrong with the fit, where, and what to type next: ``print`` it.

        Of a posterior: chains, divergences, group standard deviations near zero, influential rows, power-scaling of
        priors, predictive checks, residuals. Of an estimate: optimiser, singularity, Laplace error, residuals.
        """

    @abstractmethod
    def influence(self, group: str | None = None) -> pd.DataFrame:
        """What each level of a grouping factor (the first by default) does to the parameters."""


@explained
class Estimate(Fit, Deletions, Intervals):
    """A point estimate: REML, ML, Laplace or adaptive quadrature."""

    def smooth_terms(self) -> pd.DataFrame:
        """Effective degrees of freedom and a test of each smooth, as mgcv's ``summary.gam`` has them.

        Returns
        -------
        DataFrame
            One row a curve: ``edf``; ``ref_df, statistic, p_value`` of Wood's (2013) test that the curve is zero,
            an F of linear models and chi-squared of others; of smooths without a fixed part, as cyclic ones, of his
            test of a variance, as of all curves of levels, ``s(x, g, bs = "fs")``, in one row: of more than 2 000
            coefficients ``edf`` alone, and `test_group` has a test of their standard deviations.
        """
        return smooth_terms(self)

    def satterthwaite(self) -> pd.DataFrame:
        """t tests of the fixed effects with Satterthwaite's degrees of freedom: ``estimate, std_error, df, t, p``.

        Raises
        ------
        SpecError
            For a generalized linear mixed model, whose tests are z tests.
        """
        return fixed_table(self, fixed_inference(self, "satterthwaite")).rename(
            columns={"statistic": "t", "p_value": "p"}
        )

    @override
    def summary(self, *, df: str | None = None, vcov: RobustCovariance | None = None) -> Summary:
        """The fit as text in lme4's layout; ``print`` it.

        Parameters
        ----------
        df, vcov : degrees of freedom and covariance of the tests, as in `predict`.
        """
        return summarise_estimate(self, df, vcov)

    @override
    def tidy(
        self,
        effects: Sequence[str] = ("fixed", "ran_pars"),
        *,
        interval: float = 0.95,
        df: str | None = None,
        vcov: RobustCovariance | None = None,
    ) -> pd.DataFrame:
        """The fit as a long table in the columns of R's broom.mixed.

        Parameters
        ----------
        effects : of ``"fixed"``, ``"ran_pars"`` (standard deviations and correlations) and ``"ran_vals"`` (the random
            effects of every level).
        interval : probability of ``conf.low, conf.high``.
        df, vcov : degrees of freedom and covariance of the fixed effects, as in `predict`.
        """
        check_level(interval)
        return tidy_estimate(self, effects, interval, fixed_inference(self, df, vcov))

    @override
    def _of(self, model: Fitted, seed: int | None, progress: bool) -> Estimate:
        return Estimate(model, estimated_like(self, model).point)

    def __repr__(self) -> str:
        return brief_estimate(self)

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    @override
    def diagnose(self) -> Diagnosis:
        from bayesmix.results.criticism.diagnosis import of_estimate

        return of_estimate(self)

    @override
    def influence(self, group: str | None = None) -> pd.DataFrame:
        """Change of every parameter when a level is left out, by refits; and Cook's distance of the fixed effects.

        Parameters
        ----------
        group : grouping factor; the first by default.
        """
        from bayesmix.results.criticism.influence import of_estimate

        return of_estimate(self, group)


@explained
class Posterior(Fit, Evidence, CrossValidation, ArvizView):
    """Draws from the posterior, ``(chain, draw)``. ArviZ's functions take it as they take `data`."""

    def __init__(self, fitted_model: Fitted, draws: Draws, priors: Priors, data: xr.DataTree | None = None) -> None:
        super().__init__(fitted_model, draws, priors)
        self._data = data

    @override
    def _tree(self) -> xr.DataTree:
        return self.data

    @cached_property
    @override
    def data(self) -> xr.DataTree:
        """The draws as a DataTree in ArviZ's conventions, with ``log_likelihood`` for ``az.loo``, ``log_prior`` for
        ``az.psense`` and ``posterior_predictive`` for ``az.plot_ppc_dist``.
        """
        return to_datatree(self) if self._data is None else self._data

    @override
    def diagnose(self) -> Diagnosis:
        from bayesmix.results.criticism.diagnosis import of_posterior

        return of_posterior(self)

    def prior_sensitivity(self) -> pd.DataFrame:
        """Power-scaling sensitivity of every parameter to priors and likelihood, as ArviZ's ``psense_summary``."""
        from bayesmix.results.criticism.diagnosis import prior_sensitivity

        return prior_sensitivity(self)

    @override
    def summary(self) -> Summary:
        return summarise_posterior(self)

    @override
    def tidy(self, effects: Sequence[str] = ("fixed", "ran_pars"), *, interval: float = 0.95) -> pd.DataFrame:
        check_level(interval)
        return tidy_posterior(self, effects, interval)

    @override
    def _of(self, model: Fitted, seed: int | None, progress: bool) -> Posterior:
        found = sampled_like(self, model, seed=fresh_seed() if seed is None else seed, progress=progress)
        return Posterior(model, found.draws, found.priors)

    def __repr__(self) -> str:
        return brief_posterior(self)

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    @override
    def influence(self, group: str | None = None) -> pd.DataFrame:
        """Change of posterior means, in posterior standard deviations, when a level is left out; by importance weights.

        Parameters
        ----------
        group : grouping factor; the first by default.

        Returns
        -------
        DataFrame
            One row a level; ``pareto_k`` above 0.7 says that the weights are not to be trusted: the level matters much.
        """
        from bayesmix.results.criticism.influence import of_posterior

        return of_posterior(self, group)

    def extend(self, draws: int = 1000, *, progress: bool = True) -> Posterior:
        """The posterior with more draws of each chain: chains of NUTS go on, exact draws are added.

        Parameters
        ----------
        draws : a chain, after those that there are; the same as if all had been asked for in parts of 500.
        progress : show a progress bar.

        Raises
        ------
        SpecError
            If the draws are those of an approximation.
        """
        found = extended(self, draws, progress=progress)
        return Posterior(self.fitted_model, found.draws, found.priors)

    def posterior_predictive(self, *, groups: Groups = "fitted", seed: int = 0) -> xr.Dataset:
        """Replicated responses ``(chain, draw, obs)``: ``y``, or several by their names.

        `data` has those of the defaults, for ArviZ's plots.

        Parameters
        ----------
        groups : ``"fitted"`` for the levels of the data, ``"new"`` for others like them.
        seed : the same seed gives the same responses.
        """
        return posterior_predictive(self, groups=groups, seed=seed)

    def ppc(
        self,
        statistics: Mapping[str, Statistic] | Sequence[str] | str | None = None,
        *,
        groups: Groups = "fitted",
        interval: float = 0.95,
        seed: int = 0,
        response: str | None = None,
    ) -> pd.DataFrame:
        """Posterior predictive check: summaries of the data beside those of replicated data.

        Parameters
        ----------
        statistics : functions of ``(..., n)`` responses by name; or names of mean, sd, min, max, share of zeros.
        groups, seed : as in `posterior_predictive`.
        interval : probability of ``lower, upper``.
        response : of several; the first by default.

        Returns
        -------
        DataFrame
            ``observed``; ``mean, lower, upper`` of the replications; ``p``, the share of them above the data.
        """
        check_level(interval)
        return check_statistics(self, statistics, groups=groups, interval=interval, seed=seed, response=response)
