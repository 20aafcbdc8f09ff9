"""Fits as records: model, design and numbers, and the accessors that read them. Verbs are functions of these.

The front doors that users hold, `bayesmix.fit.Estimate` and `Posterior`, are these records with a method for each verb.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from functools import cached_property
from typing import TYPE_CHECKING, Any, override

import numpy as np

from bayesmix.arrays import Array
from bayesmix.data.design.design import Design
from bayesmix.errors import SpecError
from bayesmix.inference.estimation.identifiability import untold
from bayesmix.inference.estimation.methods import Agq, Laplace, Ml, Reml
from bayesmix.inference.estimation.optimise import Status
from bayesmix.inference.estimation.point_estimate import PointEstimate
from bayesmix.inference.parameters.names import Parameters
from bayesmix.inference.parameters.priors_in_force import Priors
from bayesmix.inference.sampling.diagnostics import Convergence, convergence
from bayesmix.inference.sampling.draws import Draws
from bayesmix.language.arguments import explained
from bayesmix.language.formula.model_spec import ModelSpec
from bayesmix.results.fits.chosen_parameter import check_linear, choose
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.level import check_level
from bayesmix.results.fits.linear_predictor import (
    coefficients,
    flatten,
    groups,
    linear_predictor,
    log_likelihood,
    of_group,
    parameter_errors,
    parameter_names,
    singular_terms,
)
from bayesmix.results.fits.marginal_summary import describe, describe_draws
from bayesmix.results.fits.mean_over_draws import mean_over_draws
from bayesmix.results.fits.parameter_ranges import parameter_ranges
from bayesmix.results.fits.sampling_problems import problems
from bayesmix.results.fits.variance_components import variance_components

if TYPE_CHECKING:
    import pandas as pd


class FitRecord(ABC):
    """What functions of a fit need: model, design, numbers. Estimates and posteriors differ in the leading axes."""

    fitted_model: Fitted
    values: Parameters

    @property
    def with_effects(self) -> Parameters:
        """The values, or of a big model's posterior fewer draws, that come with random effects."""
        return self.values

    @property
    def spec(self) -> ModelSpec:
        """Formula, family, link and priors."""
        return self.fitted_model.spec

    @property
    def design(self) -> Design:
        """y, X and the random-effects terms."""
        return self.fitted_model.design

    @property
    def formula(self) -> str:
        """The formula as it is printed; several are one text."""
        return self.spec.text

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.design.n_used

    @property
    def names(self) -> list[str]:
        """Names of the parameters."""
        return parameter_names(self.design, self.spec.family.dispersion if self._has_dispersion else None)

    @property
    @abstractmethod
    def converged(self) -> bool:
        """Whether the fit can be used."""

    @property
    def _has_dispersion(self) -> bool:
        """Whether there is a parameter beside the mean."""
        return self.values.dispersion is not None

    @abstractmethod
    def _centre(self, values: Array) -> Array:
        """Collapse the leading axes: the value itself, or the posterior mean."""

    @abstractmethod
    @explained
    def parameters(self) -> pd.DataFrame:
        """One flat table: fixed effects, ``sd(...)``, ``corr(...)`` and the dispersion."""

    @explained
    def fixef(self) -> pd.DataFrame:
        """Fixed effects."""
        return self.parameters().loc[self.design.layout.coefficients]

    @explained
    def ranef(self) -> dict[str, pd.DataFrame]:
        """Random effects, ``{group: level x effect}``: conditional modes, or posterior means."""
        import pandas as pd

        return {
            group.group: pd.DataFrame(
                self._centre(of_group(self.with_effects.b, group.terms)),
                index=pd.Index(group.levels, name=group.group),
                columns=list(group.effects),
            )
            for group in groups(self.design)
        }

    @explained
    def coef(self) -> dict[str, pd.DataFrame]:
        """Coefficients of each level, fixed plus random effects: ``{group: level x effect}``."""
        import pandas as pd

        tables = {}
        for group in groups(self.design):
            names, values = coefficients(self.design, self.with_effects, group)
            index = pd.Index(group.levels, name=group.group)
            tables[group.group] = pd.DataFrame(self._centre(values), index=index, columns=names)
        return tables

    @explained
    def varcorr(self) -> pd.DataFrame:
        """Variance components as lme4's ``as.data.frame(VarCorr(fit))``: one row a variance or covariance.

        Columns ``group, effect1, effect2, covariance, sd_or_corr``; a posterior gives posterior means. Correlated
        residuals have the standard deviation of each visit, and correlations or the numbers of the series. Of effects
        with a t distribution they are those of its scale.
        """
        return variance_components(self.design, self.spec, self.values, self._centre)

    @explained
    def linear_predictor(self, parameter: str | None = None, response: str | None = None) -> Array:
        """Linear predictor of the rows used, ``(n,)``; of a parameter and response as in `fitted`."""
        self.design.check_rows("The linear predictor")
        chosen = choose(self.spec, parameter, response)
        check_linear(self.spec, chosen)
        return self._over_rows(lambda eta, values: eta[..., self.design.block(chosen.predictor)])

    @abstractmethod
    def _described(self, values: Array) -> dict[str, Array]:
        """Columns that describe ``(..., m)`` values."""

    @abstractmethod
    def _over_rows(self, function: Callable[[Array, Parameters], Array]) -> Array:
        """Centre of a function of the linear predictor, without holding all draws of all rows at once."""


class EstimateRecord(FitRecord):
    """What functions of a point estimate need: REML, ML, Laplace or adaptive quadrature."""

    def __init__(self, fitted_model: Fitted, point: PointEstimate) -> None:
        self.fitted_model = fitted_model
        self.point = point
        self.values = point.parameters

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
    def deviance(self) -> float:
        """Minus twice the log-likelihood that was maximised: `criterion` by lme4's and statsmodels' name."""
        return self.point.criterion

    @property
    def df(self) -> int:
        """Number of estimated parameters."""
        return self.point.df

    @property
    def df_resid(self) -> int:
        """Observations, those of all responses, minus parameters."""
        return self._observations - self.point.df

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.point.criterion + 2.0 * self.point.df

    @property
    def bic(self) -> float:
        """Schwarz's criterion, with the number of observations: those of all responses, as of one stacked in rows."""
        return self.point.criterion + float(np.log(self._observations)) * self.point.df

    @property
    def _observations(self) -> int:
        return sum(self.design.n_used - int(np.sum(~one.seen)) for one in self.design.outcomes)

    @property
    def singular(self) -> bool:
        """Whether some variance between levels is zero or some correlation is 1 or -1; a smooth's variance may be."""
        return bool(singular_terms(self.design, self.point.singular))

    @property
    @override
    def converged(self) -> bool:
        """Whether the search ended at a minimum and the data tell every estimate: whether there are no `problems`."""
        return not self.problems

    @cached_property
    def problems(self) -> list[str]:
        """What is wrong with the estimate, one sentence each; empty if nothing is. Singularity is no problem."""
        status = self.point.optimum.status
        found = untold(self.design, self.spec, self.point)
        if found:  # of which a ridge of the likelihood is only the symptom
            return found
        return [] if status is Status.CONVERGED else [f"The optimiser {status.value}."]

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of the fixed effects."""
        import pandas as pd

        names, layout = list(self.design.fixed), self.design.layout
        return pd.DataFrame(self.point.covariance_of_fixed, names, names).loc[layout.coefficients, layout.coefficients]

    @override
    @explained
    def parameters(self) -> pd.DataFrame:
        """``estimate`` and ``std_error``; standard errors of variance components are not Gaussian and not given.

        Those of parameters that are one number for all rows are carried through their links by the delta method.
        """
        import pandas as pd

        errors = parameter_errors(self.design, self.values, self.point.covariance_of_fixed)
        columns = {"estimate": flatten(self.design, self.values), "std_error": errors}
        return pd.DataFrame(columns, index=pd.Index(self.names, name="parameter"))

    @cached_property
    def _inferences(self) -> dict[Hashable, Any]:
        """What inference about the fixed effects is computed from, by method; tables ask again and again."""
        return {}

    @explained
    def ranef_sd(self) -> dict[str, pd.DataFrame]:
        """Conditional standard deviations of the random effects, parameters held at their estimates."""
        import pandas as pd

        spread = [np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1)) for matrix in self.point.b_cov]
        return {
            group.group: pd.DataFrame(
                of_group(spread, group.terms),
                index=pd.Index(group.levels, name=group.group),
                columns=list(group.effects),
            )
            for group in groups(self.design)
        }

    @override
    def _centre(self, values: Array) -> Array:
        return values

    @override
    def _described(self, values: Array) -> dict[str, Array]:
        return {"estimate": values}

    @override
    def _over_rows(self, function: Callable[[Array, Parameters], Array]) -> Array:
        design = self.design
        eta = linear_predictor(design.X, design.offset, design.terms, self.values)
        return np.asarray(function(eta, self.values))


class PosteriorRecord(FitRecord):
    """What functions of a posterior need: draws ``(chain, draw)`` and the priors they are of."""

    def __init__(self, fitted_model: Fitted, draws: Draws, priors: Priors) -> None:
        self.fitted_model = fitted_model
        self.draws = draws
        self.priors = priors
        self.values = draws.parameters

    @property
    @override
    def with_effects(self) -> Parameters:
        return self.draws.with_effects

    @property
    def method(self) -> str:
        """The engine that drew."""
        return self.draws.method

    @property
    def deviance(self) -> float:
        """Posterior mean of minus twice the log-likelihood given the random effects."""
        return -2.0 * float(self.log_likelihood().sum(axis=-1).mean())

    @property
    def divergences(self) -> int:
        """Number of divergent transitions."""
        return self.draws.divergences

    @cached_property
    def convergence(self) -> Convergence:
        """R-hat and effective sample sizes of every parameter, then of every random effect."""
        lead = self.values.lead
        b = [part.reshape(*lead, -1) for part in self.values.b]
        return convergence(np.concatenate([flatten(self.design, self.values), *b], axis=-1))

    @property
    @override
    def converged(self) -> bool:
        """R-hat at most 1.01, effective sample sizes of at least 400, no divergences, and a good certificate."""
        return not self.problems

    @cached_property
    def problems(self) -> list[str]:
        """What is wrong with the draws, one sentence each; empty if nothing is."""
        values = flatten(self.design, self.values)
        return list(problems(self.draws, self.convergence, self.names, values))

    @override
    @explained
    def parameters(self, interval: float = 0.95) -> pd.DataFrame:
        """``mean, sd, median, mode`` (for sd and corr), interval bounds ``lower, upper`` and diagnostics."""
        check_level(interval)
        values = flatten(self.design, self.values)
        table = describe(values, self.names, interval, ranges=parameter_ranges(self.design, self.spec))
        m = len(self.names)
        table["ess_bulk"] = self.convergence.ess_bulk[:m]
        table["ess_tail"] = self.convergence.ess_tail[:m]
        table["r_hat"] = self.convergence.r_hat[:m]
        return table

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

    @explained
    def log_likelihood(self) -> Array:
        """Log density of every row at every draw that has random effects, given them: ``(chain, draw, n)``."""
        self.design.check_rows("A log density")
        eta = linear_predictor(self.design.X, self.design.offset, self.design.terms, self.with_effects)
        return log_likelihood(self.design, self.spec, self.with_effects, eta)

    @override
    def _centre(self, values: Array) -> Array:
        return np.asarray(values.mean(axis=(0, 1)))

    @override
    def _described(self, values: Array) -> dict[str, Array]:
        return describe_draws(values, 0.95)

    @override
    def _over_rows(self, function: Callable[[Array, Parameters], Array]) -> Array:
        return mean_over_draws(self.design, self.with_effects, function)
