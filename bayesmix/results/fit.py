"""Fits: what `estimate` and `sample` return, with the same accessors on both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, override

import numpy as np

from bayesmix.data.design import Design
from bayesmix.errors import SpecError
from bayesmix.inference.batches import in_threads
from bayesmix.inference.diagnostics import Convergence, convergence
from bayesmix.inference.draws import Draws
from bayesmix.inference.estimate import Agq, Laplace, Ml, PointEstimate, Reml
from bayesmix.inference.identifiability import untold
from bayesmix.inference.optimise import Status
from bayesmix.inference.parameters import Parameters, covariance
from bayesmix.inference.priors import Priors
from bayesmix.language.arguments import explained
from bayesmix.language.spec import ModelSpec
from bayesmix.results import effects
from bayesmix.results.freedom import resolve_df
from bayesmix.results.level import check_level
from bayesmix.results.predict import Groups, Kind, Rows, check_options, predict, prediction_table
from bayesmix.results.questions import Questions
from bayesmix.results.residuals import check_kind, cumulative, quantile_residuals, response_residuals

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesmix.inference.satterthwaite import Satterthwaite
    from bayesmix.results.diagnosis import Diagnosis
    from bayesmix.results.simulation import Statistic
    from bayesmix.results.summary import Summary
    from bayesmix.results.variance_explained import Definition

Array = np.ndarray

TOGETHER = 1_000_000  # numbers of draws x rows computed together: more of them do not stay near the processor


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What every fit knows beside its numbers."""

    spec: ModelSpec
    design: Design
    data_name: str  # how the data were given, for the heading of summaries
    documented: Mapping[str, float] = field(default_factory=dict)  # printed figures by parameter name


@explained
class Fit(Questions, ABC):
    """A fitted model. `Estimate` and `Posterior` differ in the leading axes of ``values`` only."""

    fitted_model: Fitted
    values: Parameters
    with_effects: Parameters  # the same, or of a big model's posterior fewer draws, that come with random effects

    @property
    def spec(self) -> ModelSpec:
        """Formula, family, link and priors."""
        return self.fitted_model.spec

    @property
    def design(self) -> Design:
        """y, X and the random-effects terms."""
        return self.fitted_model.design

    @property
    def names(self) -> list[str]:
        """Names of the parameters."""
        return effects.parameter_names(self.design, self.spec.family.dispersion if self._has_dispersion else None)

    @property
    @abstractmethod
    def converged(self) -> bool:
        """Whether the fit can be used."""

    @property
    def _has_dispersion(self) -> bool:
        return self.values.dispersion is not None

    @abstractmethod
    def _centre(self, values: Array) -> Array:
        """Collapse the leading axes: the value itself, or the posterior mean."""

    @abstractmethod
    def summary(self) -> Summary:
        """The fit as text in lme4's layout; ``print`` it."""

    @abstractmethod
    def parameters(self) -> pd.DataFrame:
        """One flat table: fixed effects, ``sd(...)``, ``corr(...)`` and the dispersion."""

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the fit, model and data included, as a Zarr directory that `bayesmix.load` reads.

        Parameters
        ----------
        path : of the directory, ``"fit.zarr"``; an existing one is left alone.
        overwrite : replace a fit that was saved there; anything else is still left alone.
        """
        from bayesmix.results.storage import save

        save(self, path, overwrite=overwrite)

    @abstractmethod
    def tidy(self, effects: Sequence[str] = ("fixed", "ran_pars"), *, interval: float = 0.95) -> pd.DataFrame:
        """The fit as a long table in the columns of R's broom.mixed.

        Parameters
        ----------
        effects : of ``"fixed"``, ``"ran_pars"`` (standard deviations and correlations) and ``"ran_vals"`` (the random
            effects of every level).
        interval : probability of ``conf.low, conf.high``.
        """

    def fixef(self) -> pd.DataFrame:
        """Fixed effects."""
        return self.parameters().loc[list(self.design.fixed)]

    def ranef(self) -> dict[str, pd.DataFrame]:
        """Random effects, ``{group: level x effect}``: conditional modes, or posterior means."""
        import pandas as pd

        return {
            group.group: pd.DataFrame(
                self._centre(effects.of_group(self.with_effects.b, group.terms)),
                index=pd.Index(group.levels, name=group.group),
                columns=list(group.effects),
            )
            for group in effects.groups(self.design)
        }

    def coef(self) -> dict[str, pd.DataFrame]:
        """Coefficients of each level, fixed plus random effects: ``{group: level x effect}``."""
        import pandas as pd

        tables = {}
        for group in effects.groups(self.design):
            names, values = effects.coefficients(self.design, self.with_effects, group)
            index = pd.Index(group.levels, name=group.group)
            tables[group.group] = pd.DataFrame(self._centre(values), index=index, columns=names)
        return tables

    def varcorr(self) -> pd.DataFrame:
        """Variance components as lme4's ``as.data.frame(VarCorr(fit))``: one row a variance or covariance.

        Columns ``group, effect1, effect2, covariance, sd_or_corr``; a posterior gives posterior means.
        """
        import pandas as pd

        rows: list[tuple[str, str, str | None, float, float]] = []
        for term, sd, corr in zip(self.design.terms, self.values.sd, self.values.corr, strict=True):
            matrix = self._centre(covariance(sd, corr))
            sizes, shape = self._centre(sd), self._centre(corr)
            for j, effect in enumerate(term.effects):
                rows.append((term.group, effect, None, matrix[j, j], sizes[j]))
            rows += [
                (term.group, term.effects[j], term.effects[i], matrix[i, j], shape[i, j])
                for i, j in effects.correlated(term)
            ]
        if self.spec.family.dispersion == "sigma":
            sigma = np.asarray(self.values.dispersion)
            rows.append(("Residual", "sigma", None, float(self._centre(sigma**2)), float(self._centre(sigma))))
        return pd.DataFrame(rows, columns=["group", "effect1", "effect2", "covariance", "sd_or_corr"])

    def fitted(self) -> Array:
        """Fitted means of the rows used, ``(n,)``: conditional modes or posterior means (shares for binomial data)."""
        return self._over_rows(lambda eta, values: self.spec.link.mean(eta))

    def linear_predictor(self) -> Array:
        """Linear predictor of the rows used, ``(n,)``."""
        return self._over_rows(lambda eta, values: eta)

    def residuals(self, kind: str = "response", *, seed: int = 0) -> Array:
        """Residuals of the rows used, ``(n,)``.

        Parameters
        ----------
        kind : ``"response"``, ``"pearson"``, ``"deviance"``, or ``"quantile"``: standard normal if the model is right,
            whatever the family (Dunn and Smyth 1996); a posterior's are of its predictive distribution.
        seed : of the draws that quantile residuals of counts need.
        """
        check_kind(kind)
        family = self.spec.family
        if kind == "quantile":
            link = self.spec.link

            def bounds(eta: Array, values: Parameters) -> Array:
                return np.moveaxis(cumulative(self.design, family, link.mean(eta), values.dispersion), 0, -1)

            return quantile_residuals(self._over_rows(bounds).T, seed)
        dispersion = None if self.values.dispersion is None else self._centre(np.asarray(self.values.dispersion))
        return response_residuals(self.design, family, self.fitted(), dispersion, kind)

    def predict(
        self,
        newdata: Any = None,
        *,
        kind: Kind = "mean",
        groups: Groups = "fitted",
        interval: float = 0.95,
        offset: Any = None,
        df: str | None = None,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Predict rows of ``newdata`` (those of the fit by default).

        Parameters
        ----------
        newdata : any dataframe with the predictors; the response is not needed.
        kind : ``"mean"`` of the response, ``"linear"`` predictor, or ``"response"``: a new observation.
        groups : ``"fitted"`` uses each row's own group (an unseen level is an error), ``"known"`` too, but draws the
            effects of levels not seen, ``"new"`` draws those of every level, the same for all rows of the level,
            ``"average"`` integrates the random effects out, ``"zero"`` sets them to zero, the document's prediction
            for a new group. Or a scope for each grouping factor, ``{"batch": "fitted", "cask:batch": "new"}``; those
            not named are ``"fitted"``. Only ``"fitted"`` and ``"known"`` need the column of the grouping factor;
            without it ``"new"`` takes all rows to be of one new level.
        interval : probability of the interval columns ``lower, upper``.
        offset : one value a row of new data, where the model was given an array too.
        df : degrees of freedom of an estimate's intervals: ``"satterthwaite"``, the default of linear models (of fixed
            effects as emmeans has them; with random effects as SAS has them, and at least the number of levels less
            one), or ``"asymptotic"``: normal intervals, the only ones of generalized models.
        seed : of the draws that ``"new"`` and ``"response"`` need.

        Returns
        -------
        DataFrame
            One row a row of data: ``estimate, std_error, df, lower, upper`` of a point estimate, whose fixed and random
            effects are uncertain together; how uncertain the groups' variances are is in ``df`` alone, infinite where
            intervals are normal. ``mean, sd, lower, upper`` of a posterior. A row is NaN, with a `PredictionWarning`,
            where a value is missing, or where the data of the fit do not determine it: it needs a column left out.
        """
        design, freedom = self.design, resolve_df(self, df)
        check_options(kind, groups, design.terms)
        check_level(interval)
        rows = Rows.of_fit(design) if newdata is None else Rows.of_new_data(design, newdata, groups, offset)
        return prediction_table(self, rows, kind=kind, groups=groups, interval=interval, df=freedom, seed=seed)

    def r2(self, definition: Definition = "nakagawa") -> pd.DataFrame:
        """R2 of the fixed effects alone (``marginal``) and with the random effects (``conditional``).

        Parameters
        ----------
        definition : ``"nakagawa"``, variances on the scale of the linear predictor (Nakagawa et al. 2017, random slopes
            after Johnson 2014), or ``"bayesian"``, of means against responses (Gelman et al. 2019).
        """
        from bayesmix.results.variance_explained import r_squared

        return self._table(r_squared(self.design, self.spec, self.with_effects, definition))

    def icc(self) -> pd.DataFrame:
        """Intraclass correlations: the share of each grouping factor in the variance the fixed effects leave."""
        from bayesmix.results.variance_explained import intraclass

        return self._table(intraclass(self.design, self.spec, self.values))

    def _table(self, quantities: Mapping[str, Array]) -> pd.DataFrame:
        """Scalars with free leading axes, one row each."""
        import pandas as pd

        columns = self._described(np.stack(list(quantities.values()), axis=-1))
        return pd.DataFrame(columns, index=list(quantities))

    def simulate(
        self, n: int = 1, newdata: Any = None, *, groups: Groups = "new", offset: Any = None, seed: int = 0
    ) -> pd.DataFrame:
        """New sets of responses, one a column: an estimate's at its parameters, a posterior's each at another draw.

        Parameters
        ----------
        n : number of sets.
        newdata, offset : as in `predict`.
        groups : ``"new"`` draws new effects for every level, as a repetition of the study would; ``"fitted"`` keeps
            the levels' own.
        seed : the same seed gives the same responses.
        """
        from bayesmix.results.simulation import simulate

        return simulate(self, n, newdata=newdata, groups=groups, offset=offset, seed=seed)

    @abstractmethod
    def diagnose(self) -> Diagnosis:
        """What is wrong with the fit, where, and what to type next: ``print`` it.

        Of a posterior: chains, divergences, group standard deviations near zero, influential rows, power-scaling of
        priors, predictive checks, residuals. Of an estimate: optimiser, singularity, Laplace error, residuals.
        """

    @abstractmethod
    def influence(self, group: str | None = None) -> pd.DataFrame:
        """What each level of a grouping factor (the first by default) does to the parameters."""

    @abstractmethod
    def _described(self, values: Array) -> dict[str, Array]:
        """Columns that describe ``(..., m)`` values."""

    @abstractmethod
    def _predicted(
        self, rows: Rows, kind: Kind, groups: Groups, interval: float, df: str, seed: int
    ) -> dict[str, Array]:
        """Columns that describe the predictions of rows."""

    @abstractmethod
    def _over_rows(self, function: Any) -> Array:
        """Centre of a function of the linear predictor, without holding all draws of all rows at once."""


@explained
class Estimate(Fit):
    """A point estimate: REML, ML, Laplace or adaptive quadrature."""

    def __init__(self, fitted_model: Fitted, point: PointEstimate) -> None:
        self.fitted_model = fitted_model
        self.point = point
        self.values = point.parameters
        self.with_effects = self.values

    @property
    def method(self) -> str:
        """``"REML"``, ``"ML"``, ``"Laplace"`` or ``"AGQ"``."""
        match self.point.method:
            case Reml():
                return "REML"
            case Ml():
                return "ML"
            case Laplace():
                return "Laplace" if self.design.terms else "ML"  # nothing is integrated without random effects
            case Agq():
                return "AGQ"

    @property
    def criterion(self) -> float:
        """REML criterion, or minus twice the log-likelihood."""
        return self.point.criterion

    @property
    def loglik(self) -> float:
        """Log-likelihood (of a REML fit: the restricted one, as lme4's ``logLik``)."""
        return -0.5 * self.point.criterion

    @property
    def df(self) -> int:
        """Number of estimated parameters."""
        return self.point.df

    @property
    def df_resid(self) -> int:
        """Rows minus parameters."""
        return len(self.design.y) - self.point.df

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.point.criterion + 2.0 * self.point.df

    @property
    def bic(self) -> float:
        """Schwarz's criterion, with the number of rows."""
        return self.point.criterion + float(np.log(len(self.design.y))) * self.point.df

    @property
    def singular(self) -> bool:
        """Whether some variance is zero or some correlation is 1 or -1."""
        return bool(self.point.singular)

    @property
    @override
    def converged(self) -> bool:
        """Whether the search ended at a minimum and the data tell every estimate: whether there are no `problems`."""
        return not self.problems

    @cached_property
    def problems(self) -> list[str]:
        """What is wrong with the estimate, one sentence each; empty if nothing is. Singularity is no problem."""
        status = self.point.optimum.status
        found = untold(self.design, self.spec.family, self.spec.link, self.point)
        if found:  # of which a ridge of the likelihood is only the symptom
            return found
        return [] if status is Status.CONVERGED else [f"The optimiser {status.value}."]

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of the fixed effects."""
        import pandas as pd

        return pd.DataFrame(self.point.beta_cov, index=list(self.design.fixed), columns=list(self.design.fixed))

    @override
    def parameters(self) -> pd.DataFrame:
        """``estimate`` and ``std_error``; standard errors of variance components are not Gaussian and not given."""
        import pandas as pd

        errors = np.full(len(self.names), np.nan)
        errors[: len(self.design.fixed)] = np.sqrt(np.diagonal(self.point.beta_cov))
        columns = {"estimate": effects.flatten(self.design, self.values), "std_error": errors}
        return pd.DataFrame(columns, index=pd.Index(self.names, name="parameter"))

    def satterthwaite(self) -> pd.DataFrame:
        """t tests of the fixed effects with Satterthwaite's degrees of freedom: ``estimate, std_error, df, t, p``.

        Raises
        ------
        SpecError
            For a generalized linear mixed model, whose tests are z tests.
        """
        from scipy.special import stdtr

        from bayesmix.results.freedom import of_fixed, resolve_df

        table = self.fixef()
        table["df"] = of_fixed(self, np.eye(len(table)), resolve_df(self, "satterthwaite"))
        table["t"] = table["estimate"] / table["std_error"]
        table["p"] = 2.0 * stdtr(table["df"], -table["t"].abs())
        return table

    @cached_property
    def _satterthwaite(self) -> Satterthwaite:
        """What degrees of freedom of linear models are computed from; tables ask again and again."""
        from bayesmix.inference.satterthwaite import satterthwaite

        return satterthwaite(self.design, self.point)

    def confint(
        self, parameters: Sequence[str] | None = None, *, level: float = 0.95, method: str = "profile"
    ) -> pd.DataFrame:
        """Confidence intervals, columns ``lower, upper``.

        Parameters
        ----------
        parameters : names as in `parameters`; all by default.
        level : coverage.
        method : ``"profile"`` likelihood (any parameter; REML fits are profiled by maximum likelihood), ``"wald"`` or
            ``"satterthwaite"`` (fixed effects; t quantiles).

        Returns
        -------
        DataFrame
            One row a parameter. A profile limit is where the profile deviance has the critical value to 1e-4; the end
            of the parameter's range (0, -1, 1) or infinite where it stays below; NaN where no limit was found. Limits
            that are no numbers are warned about, and ``attrs["notes"]`` says why.
        """
        from bayesmix.results.intervals import confidence_intervals

        return confidence_intervals(self, parameters, level, method)

    def ranef_sd(self) -> dict[str, pd.DataFrame]:
        """Conditional standard deviations of the random effects, parameters held at their estimates."""
        import pandas as pd

        spread = [np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1)) for matrix in self.point.b_cov]
        return {
            group.group: pd.DataFrame(
                effects.of_group(spread, group.terms),
                index=pd.Index(group.levels, name=group.group),
                columns=list(group.effects),
            )
            for group in effects.groups(self.design)
        }

    @override
    def summary(self) -> Summary:
        from bayesmix.results.summary import summarise_estimate

        return summarise_estimate(self)

    @override
    def tidy(self, effects: Sequence[str] = ("fixed", "ran_pars"), *, interval: float = 0.95) -> pd.DataFrame:
        from bayesmix.results.tidy import tidy_estimate

        check_level(interval)
        return tidy_estimate(self, effects, interval)

    def __repr__(self) -> str:
        from bayesmix.results.brief import brief_estimate

        return brief_estimate(self)

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    @override
    def _centre(self, values: Array) -> Array:
        return values

    @override
    def diagnose(self) -> Diagnosis:
        from bayesmix.results.diagnosis import of_estimate

        return of_estimate(self)

    @override
    def influence(self, group: str | None = None) -> pd.DataFrame:
        """Change of every parameter when a level is left out, by refits; and Cook's distance of the fixed effects.

        Parameters
        ----------
        group : grouping factor; the first by default.
        """
        from bayesmix.results.influence import of_estimate

        return of_estimate(self, group)

    @override
    def _described(self, values: Array) -> dict[str, Array]:
        return {"estimate": values}

    @override
    def _predicted(
        self, rows: Rows, kind: Kind, groups: Groups, interval: float, df: str, seed: int
    ) -> dict[str, Array]:
        from bayesmix.results.point_prediction import predict_estimate

        return predict_estimate(self, rows, kind=kind, groups=groups, interval=interval, df=df, seed=seed)

    @override
    def _over_rows(self, function: Any) -> Array:
        design = self.design
        eta = effects.linear_predictor(design.X, design.offset, design.terms, self.values)
        return np.asarray(function(eta, self.values))


@explained
class Posterior(Fit):
    """Draws from the posterior, ``(chain, draw)``."""

    def __init__(self, fitted_model: Fitted, draws: Draws, priors: Priors) -> None:
        self.fitted_model = fitted_model
        self.draws = draws
        self.priors = priors
        self.values = draws.parameters
        self.with_effects = draws.with_effects

    @property
    def method(self) -> str:
        """The engine that drew."""
        return self.draws.method

    @property
    def divergences(self) -> int:
        """Number of divergent transitions."""
        return int(np.sum(self.draws.stats.get("diverging", np.zeros(1))))

    @cached_property
    def convergence(self) -> Convergence:
        """R-hat and effective sample sizes of every parameter, then of every random effect."""
        lead = self.values.lead
        b = [part.reshape(*lead, -1) for part in self.values.b]
        return convergence(np.concatenate([effects.flatten(self.design, self.values), *b], axis=-1))

    @property
    @override
    def converged(self) -> bool:
        """R-hat at most 1.01, effective sample sizes of at least 400, no divergences, and a good certificate."""
        return not self.problems

    @cached_property
    def problems(self) -> list[str]:
        """What is wrong with the draws, one sentence each; empty if nothing is."""
        from bayesmix.results.sampling_problems import problems

        return list(problems(self))

    @override
    def parameters(self, interval: float = 0.95) -> pd.DataFrame:
        """``mean, sd, median, mode`` (for sd and corr), interval bounds ``lower, upper`` and diagnostics."""
        from bayesmix.results.marginals import describe

        check_level(interval)
        table = describe(effects.flatten(self.design, self.values), self.names, interval)
        m = len(self.names)
        table["ess_bulk"] = self.convergence.ess_bulk[:m]
        table["ess_tail"] = self.convergence.ess_tail[:m]
        table["r_hat"] = self.convergence.r_hat[:m]
        return table

    @cached_property
    def data(self) -> xr.DataTree:
        """The draws as a DataTree in ArviZ's conventions, with ``log_likelihood`` for ``az.loo``, ``log_prior`` for
        ``az.psense`` and ``posterior_predictive`` for ``az.plot_ppc_dist``.
        """
        from bayesmix.results.datatree import to_datatree

        return to_datatree(self)

    @override
    def diagnose(self) -> Diagnosis:
        from bayesmix.results.diagnosis import of_posterior

        return of_posterior(self)

    def prior_sensitivity(self) -> pd.DataFrame:
        """Power-scaling sensitivity of every parameter to priors and likelihood, by ArviZ."""
        from bayesmix.results.diagnosis import sensitivity

        return sensitivity(self)

    def loo(self, *, refit: bool | None = None, seed: int = 0) -> Any:
        """Leave-one-out cross-validation by Pareto-smoothed importance sampling, as ArviZ's ``ELPDData``.

        Parameters
        ----------
        refit : fit again without each row whose Pareto k is high; by default where that is cheap, with the marginal
            sampler.
        seed : of the refits.
        """
        from bayesmix.results.cross_validation import loo

        return loo(self, refit=refit, seed=seed)

    def logo(self, group: str | None = None, *, refit: bool | Literal["all"] | None = None, seed: int = 0) -> Any:
        """Leave one group out: how well the rows of each level are predicted, together, by those of all others.

        The effects of the level left out, and of levels nested in it, are integrated out: the accuracy for a new group.

        Parameters
        ----------
        group : grouping factor; the first by default.
        refit : as in `loo`; ``"all"`` fits again without each level in turn.
        seed : of the refits.

        Returns
        -------
        ELPDData
            ArviZ's, one entry a level.
        """
        from bayesmix.results.cross_validation import logo

        return logo(self, group, refit=refit, seed=seed)

    def kfold(self, k: int = 10, group: str | None = None, *, seed: int = 0) -> Any:
        """Cross-validation with ``k`` folds, each by a refit; the rows of a level of ``group`` stay together."""
        from bayesmix.results.cross_validation import kfold

        return kfold(self, k, group, seed=seed)

    @property
    def log_evidence(self) -> tuple[float, float]:
        """Log marginal likelihood and its Monte Carlo error, from the marginal sampler's proposal.

        Raises
        ------
        SpecError
            If the fit has none: it was sampled by NUTS, or priors are flat.
        """
        found = self.draws.certificate
        if "log_evidence" not in found:
            raise SpecError(
                "Only the marginal sampler with proper priors gives a marginal likelihood:"
                ' model.sample(method="marginal").'
            )
        return found["log_evidence"], found["log_evidence_error"]

    def log_likelihood(self) -> Array:
        """Log density of every row at every draw that has random effects, given them: ``(chain, draw, n)``."""
        design, spec = self.design, self.spec
        eta = effects.linear_predictor(design.X, design.offset, design.terms, self.with_effects)
        return effects.log_likelihood(design, spec.family, spec.link, self.with_effects, eta)

    @override
    def summary(self) -> Summary:
        from bayesmix.results.summary import summarise_posterior

        return summarise_posterior(self)

    @override
    def tidy(self, effects: Sequence[str] = ("fixed", "ran_pars"), *, interval: float = 0.95) -> pd.DataFrame:
        from bayesmix.results.tidy import tidy_posterior

        check_level(interval)
        return tidy_posterior(self, effects, interval)

    def __repr__(self) -> str:
        from bayesmix.results.brief import brief_posterior

        return brief_posterior(self)

    def _repr_html_(self) -> str:
        return self.summary().to_html()

    @override
    def _centre(self, values: Array) -> Array:
        return np.asarray(values.mean(axis=(0, 1)))

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
        from bayesmix.results.influence import of_posterior

        return of_posterior(self, group)

    def posterior_predictive(self, *, groups: Groups = "fitted", seed: int = 0) -> xr.Dataset:
        """Replicated responses, ``y (chain, draw, obs)``; `data` has those of the defaults, for ArviZ's plots.

        Parameters
        ----------
        groups : ``"fitted"`` for the levels of the data, ``"new"`` for others like them.
        seed : the same seed gives the same responses.
        """
        from bayesmix.results.simulation import posterior_predictive

        return posterior_predictive(self, groups=groups, seed=seed)

    def ppc(
        self,
        statistics: Mapping[str, Statistic] | None = None,
        *,
        groups: Groups = "fitted",
        interval: float = 0.95,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Posterior predictive check: summaries of the data beside those of replicated data.

        Parameters
        ----------
        statistics : functions of ``(..., n)`` responses by name; by default mean, sd, extremes, and share of zeros.
        groups, seed : as in `posterior_predictive`.
        interval : probability of ``lower, upper``.

        Returns
        -------
        DataFrame
            ``observed``; ``mean, lower, upper`` of the replications; ``p``, the share of them above the data.
        """
        from bayesmix.results.simulation import check_statistics

        check_level(interval)
        return check_statistics(self, statistics, groups=groups, interval=interval, seed=seed)

    @override
    def _described(self, values: Array) -> dict[str, Array]:
        return describe_draws(values, 0.95)

    @override
    def _predicted(
        self, rows: Rows, kind: Kind, groups: Groups, interval: float, df: str, seed: int
    ) -> dict[str, Array]:
        values = self.with_effects
        parts = [
            describe_draws(predict(self.spec, chunk, values, kind=kind, groups=groups, seed=seed), interval)
            for chunk in rows.chunks(values.lead[0] * values.lead[1])
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    @override
    def _over_rows(self, function: Any) -> Array:
        design, flat = self.design, _flat_draws(self.with_effects)
        draws = self.with_effects.lead[0] * self.with_effects.lead[1]
        size = max(1, TOGETHER // max(len(design.y), 1))

        def sum_of(begin: int) -> Array:
            part = _take(flat, slice(begin, begin + size))
            eta = effects.linear_predictor(design.X, design.offset, design.terms, part)
            return np.asarray(np.asarray(function(eta, part)).sum(axis=0))

        total: Array = sum(in_threads(sum_of, range(0, draws, size)), np.zeros(()))
        return total / draws


def describe_draws(values: Array, interval: float) -> dict[str, Array]:
    """``mean, sd, lower, upper`` of draws ``(chain, draw, n)``, with equal tails."""
    tail = 50.0 * (1.0 - interval)
    lower, upper = np.percentile(values, [tail, 100.0 - tail], axis=(0, 1))
    return {"mean": values.mean(axis=(0, 1)), "sd": values.std(axis=(0, 1), ddof=1), "lower": lower, "upper": upper}


def _flat_draws(values: Parameters) -> Parameters:
    """Chains end to end: leading axis ``(draws,)``."""

    def flat(array: Array) -> Array:
        return array.reshape(-1, *array.shape[2:])

    return Parameters(
        flat(values.beta),
        tuple(map(flat, values.sd)),
        tuple(map(flat, values.corr)),
        tuple(map(flat, values.b)),
        None if values.dispersion is None else flat(values.dispersion),
    )


def _take(values: Parameters, part: slice) -> Parameters:
    return Parameters(
        values.beta[part],
        tuple(array[part] for array in values.sd),
        tuple(array[part] for array in values.corr),
        tuple(array[part] for array in values.b),
        None if values.dispersion is None else values.dispersion[part],
    )
