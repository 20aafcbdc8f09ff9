"""The façade: a formula and data in, fits out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmix.data.design.model_design import model_design, placed
from bayesmix.data.frame import open_table
from bayesmix.data.memory import too_much
from bayesmix.data.model_file import load_model_file
from bayesmix.data.remote_table import is_remote, open_remote
from bayesmix.errors import SpecError
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.estimation.curve_starts import with_starts
from bayesmix.inference.estimation.methods import resolve_method
from bayesmix.inference.parameters.priors_in_force import Priors, resolve
from bayesmix.inference.sampling.draws import Schedule, fresh_seed
from bayesmix.inference.sampling.nuts.prior_draws import draw_from_priors, warn_of_absurd
from bayesmix.inference.sampling.nuts.pymc_model import to_pymc
from bayesmix.inference.sampling.sample import resolve_sampler
from bayesmix.language.arguments import explained
from bayesmix.language.families.family import Family
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.parallel.progress import working
from bayesmix.results.fits.fitted_model import Fitted
from bayesmix.results.fits.refit import estimated, sample_model, with_normal_effects_estimated
from bayesmix.results.interoperability.code import model_code
from bayesmix.results.tables.model_html import model_html
from bayesmix.results.tables.model_text import describe_model
from bayesmix.results.tables.prior_table import prior_table

if TYPE_CHECKING:
    import pandas as pd

    from bayesmix.data.model_file import ModelFile
    from bayesmix.inference.estimation.methods import Method
    from bayesmix.inference.sampling.sample import Sampler


_TABLES = {
    "contrasts": '{"recipe": "sum"}',
    "documented": '{"Intercept": 251.4}',
    "start": '{"asym": 200.0}',
    "units": '{"Days": "days"}',
}


@explained
class Model:
    """A hierarchical model on data.

    Parameters
    ----------
    formula : lme4's formula, ``"ncases ~ ncontrols + (ncontrols | agegp)"``; without a bar it is that of a regression.
        Several, of parameters of the family or of further responses, are a list, ``["y ~ x + (x | g)", "sigma ~ z"]``,
        a dictionary, ``{"mu": "y ~ x + (x | g)", "sigma": "~ z"}``, or one text with ``;`` between them. The first is
        of a response; a later one is of a parameter where its left side is the name of one, ``sigma``, ``shape``, with
        several responses ``sigma_a``. Bars ``(x | ID | g)`` of one ID, in any of them, share a covariance. Beside a
        response may stand what brms has there: ``y | cens(c, y2) + trunc(lb = 0) + weights(w) ~ ...``, ``trials(n)``,
        known standard errors ``se(s)`` or ``se(s, sigma = TRUE)``,
        ``rate(d)``. ``c`` is ``"none"``, ``"right"`` (the response is larger than ``y``), ``"left"`` (at most ``y``) or
        ``"interval"`` (larger than ``y``, at most ``y2``), or 0, 1, -1, 2, or TRUE for right. ``weights(w)``
        multiplies log densities, whatever the family: rows that count so often.
    data : pandas, polars or arrow table, DuckDB relation, dict of columns, or path of a file that
        `read_data` takes.
    family : ``"gaussian"``, ``"student"``, ``"skew_normal"``, ``"exgaussian"``; ``"gamma"``, ``"lognormal"``,
        ``"weibull"``, ``"exponential"``, ``"inverse_gaussian"``, ``"shifted_lognormal"``; ``"tweedie"``,
        ``"hurdle_gamma"``, ``"hurdle_lognormal"``; ``"beta"``, ``"zero_inflated_beta"``, ``"zero_one_inflated_beta"``;
        ``"von_mises"``; ``"asym_laplace"``, ``"asym_laplace(0.9)"`` of a fixed quantile;
        ``"binomial"``, ``"bernoulli"``, ``"betabinomial"``,
        ``"zero_inflated_binomial"``; ``"poisson"``, ``"negbinomial"``, ``"nbinom1"``, ``"genpois"``, ``"geometric"``,
        and of the first three ``"zero_inflated_poisson"``, ``"hurdle_poisson"``, ``"truncated_poisson"``, ...; of
        ratings ``"cumulative"``, ``"sratio"``, ``"cratio"``, ``"acat"``; ``"categorical"``, ``"multinomial"``; or a
        `Family` record of your own; of several responses also a dictionary, ``{"a": "gaussian", "b": "poisson"}``.
    link : name of the link of the mean, the family's canonical or usual one by default; or a dictionary of links by
        response or parameter.
    priors : a preset (``"default"``, ``"flat"``, ``"brms"``, ``"rstanarm"``, ``"bambi"``), or priors by name,
        ``{"sd(agegp)": "HalfNormal(2)"}``, and ``"preset"`` among them for those not named. Those of ``"default"`` and
        ``"flat"`` for random effects hold where numeric predictors have their means, those by name where they are zero.
        Those of ``sigma_x``, of a parameter with a formula, are on its link; ``"fixed"``, ``"sd"`` and ``"corr"`` are
        the coefficients, standard deviations and correlations of every linear predictor; ``"simo"``, or
        ``"simo_mox1"``, the shares of the steps of monotonic effects, ``"Dirichlet(2)"``.
    weights : column name, expression or array. Divides the residual variance of a gaussian response, is the number of
        trials of a share, and multiplies the log-likelihood of any other response.
    offset : column name, expression or array added to the linear predictor.
    rescor : whether the residuals of several gaussian responses are correlated: ``rescor(a, b)``, whose prior is
        ``"rescor"``, LKJ(1) by default.
    start : values that a search begins with, of the parameters of a nonlinear mean, ``{"asym": 200, "mid": 700}``; of
        those without, the medians of the priors of their intercepts, else those of the curve that is nearest to all
        rows, which is looked for from many points.
    contrasts : contrasts of factors of the fixed part, ``{"recipe": "sum"}``.
    data2 : what relates levels, by the names of the formula: ``(1 | gr(animal, cov = A))`` and ``{"A": A}``, ``A`` a
        pandas table of covariances with levels as rows and columns, a `pedigree` or a `phylogeny`.
    where : ``"source"``: data are a DuckDB relation, a lazy frame of Polars, Dask or Spark, or the path of Parquet or
        CSV files (``"part-*.parquet"``), and stay where they are; only sums by group are read of them, which a linear
        model needs no more of, and of all other models the different rows of the columns they name, each with how often
        it occurs. ``"auto"``: so where such data have 5 000 000 rows or more. ``"memory"``, the default: all rows are
        read.
    data_name : how summaries call the data.
    documented : figures a document prints, by parameter name; `compare` puts them beside the fits.
    units : of the columns, by name, for the axes of figures; beside those that the data bring (``data.attrs["units"]``,
        which `load_dataset` sets).

    Raises
    ------
    FormulaError, SpecError, DataError, DesignError
        Each says what is wrong, where, and what to do.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a model is made of
        self,
        formula: str | Sequence[str] | Mapping[str, str],
        data: Any,
        family: str | Family | Mapping[str, str | Family] = "gaussian",
        link: str | Mapping[str, str] | None = None,
        priors: str | Mapping[str, Any] | None = None,
        weights: Any = None,
        offset: Any = None,
        *,
        rescor: bool = False,
        start: Mapping[str, float] | None = None,
        contrasts: Mapping[str, str] | None = None,
        data2: Mapping[str, Any] | None = None,
        where: str = "memory",
        data_name: str | None = None,
        documented: Mapping[str, float] | None = None,
        units: Mapping[str, str] | None = None,
    ) -> None:
        tables = {"contrasts": contrasts, "documented": documented, "start": start, "units": units}
        for name, table in tables.items():
            if not isinstance(table, Mapping | None):
                raise SpecError(f"{name} are a dictionary such as {_TABLES[name]}, not {table!r}.")
        spec = make_spec(
            formula, family, link, priors, rescor=rescor, start=start, is_column=partial(_has_column, data, where)
        )
        table = placed(data, where, spec)
        spec, self.design = model_design(spec, table, weights=weights, offset=offset, contrasts=contrasts, data2=data2)
        self.spec = with_starts(spec, self.design)
        self._data = data
        self.data_name = data_name or (str(data) if isinstance(data, str | PathLike) else "")
        self.documented = dict(documented or {})
        self.units = {**(getattr(data, "attrs", None) or {}).get("units", {}), **(units or {})}

    @cached_property
    def priors(self) -> Priors:
        """Every prior in force; ``print(model.priors)`` says what each means in the data's units."""
        return resolve(self.spec, self.design)

    def prior_table(self, estimate: Estimate | None = None) -> pd.DataFrame:
        """Every prior beside the estimate: ``prior, says, lower, upper, estimate, ratio``.

        Parameters
        ----------
        estimate : of this model, with normal effects; made if not given. ``ratio`` is the size of the prior (the upper
            95 % bound of a standard deviation, half the width of the 95 % interval otherwise) over it.
        """
        return prior_table(self.priors, with_normal_effects_estimated(self._fitted) if estimate is None else estimate)

    def estimate(self, method: str | Method = "auto", *, progress: bool = True) -> Estimate:
        """Fit by REML, ML, Laplace or adaptive quadrature.

        Parameters
        ----------
        method : ``"auto"`` (REML for gaussian responses with identity link, Laplace otherwise), ``"reml"``, ``"ml"``,
            ``"laplace"``, ``"agq"``, or a record such as ``bmx.Agq(points=9)``. Where other parameters have formulas or
            responses are several, ``"auto"`` is maximum likelihood, as glmmTMB's; ``"reml"`` is for linear means.
        progress : say how long it has taken so far, of searches above a second.
        """
        chosen = resolve_method(method, self.spec)
        with working("Estimating", is_shown=progress):
            return Estimate(self._fitted, estimated(self._fitted, chosen).point)

    def sample(  # noqa: PLR0913 - how much is drawn, how, and where it is kept
        self,
        draws: int = 1000,
        chains: int = 4,
        seed: int | None = None,
        method: str | Sampler = "auto",
        *,
        checkpoint: str | Path | None = None,
        cache: str | Path | None = None,
        progress: bool = True,
    ) -> Posterior:
        """Draw from the posterior.

        Parameters
        ----------
        draws : draws a chain, after warm-up.
        chains : independent chains.
        seed : the same seed gives the same draws; a fresh one is chosen, and kept in the result, by default.
        method : ``"marginal"`` integrates the effects of gaussian models out, exact at the price of a point estimate,
            and draws those of other models from proposals that it corrects exactly; ``"nuts"`` samples the PyMC model;
            ``"auto"`` takes the first where its certificate holds, and says why where it does not; ``"advi"`` and
            ``"pathfinder"`` are approximations; or a record such as ``bmx.Nuts(target_accept=0.99)``.
        checkpoint : a name, ``"fit.zarr"``, where draws are kept as they come, 500 a chain at a time, and the whole fit
            at the end. A run that was stopped, by Ctrl-C or a lost machine, goes on from there, here or by
            `bayesmix.resume`, with the draws that it would have had; one that is finished is not drawn again.
        cache : a folder of such fits, in which this one has a name of its own by model, data, priors and settings.
        progress : show a progress bar.
        """
        if draws < 4 or chains < 1:
            raise SpecError(f"draws={draws}, chains={chains}: at least 4 draws and 1 chain are needed.")
        self._check_memory(draws, chains)
        sampler, own = resolve_sampler(method), None if seed is None else int(seed)
        schedule = Schedule(draws, chains, fresh_seed() if own is None else own, progress)
        if checkpoint is None and cache is None:
            found = sample_model(self._fitted, self.priors, sampler, schedule)
        else:
            from bayesmix.results.storage.sampling_run import Asked, kept

            asked = Asked(self._fitted, self.priors, sampler, schedule, has_seed=own is not None)
            found = kept(asked, checkpoint=checkpoint, cache=cache)
        return Posterior(self._fitted, found.draws, self.priors)

    def prior_predictive(self, draws: int = 500, seed: int | None = None) -> Any:
        """Draw parameters from the priors and data from those: a DataTree with ``prior`` and ``prior_predictive``.

        Warns
        -----
        PriorWarning
            If one in a hundred drawn responses is over a thousand times as far off as any in the data.

        Raises
        ------
        SpecError
            If a prior is flat: there is nothing to draw from.
        """
        self.design.check_rows("A prior predictive distribution")
        if self.spec.imputed:
            raise SpecError(
                "Data are not drawn from the priors of models that impute missing values: their PyMC model has these"
                " integrated out. Draws of the posterior's are `post.simulate(n)`."
            )
        if draws < 1:
            raise SpecError(f"draws={draws}: at least one set of parameters is needed.")
        self._check_memory(draws, 1)
        if self.priors.has_flat:
            raise SpecError(
                'Flat priors cannot be drawn from. Use the default ones, or priors={"sd": "HalfNormal(1)"}.'
            )
        found = draw_from_priors(self.to_pymc(), self.priors, draws, seed)
        warn_of_absurd(found, self.design, self.spec)
        return found

    def to_pymc(self) -> Any:
        """The hierarchical ``pm.Model`` with LKJ-correlated random effects, named dims and coords."""
        return to_pymc(self.design, self.spec, self.priors)

    def code(self, package: str) -> str:
        """The same model in another package's words, as code that is ready to be run: ``print`` it.

        Parameters
        ----------
        package : ``"lme4"`` or ``"glmmTMB"``, the point estimate in R; ``"brms"``, ``"bambi"`` or ``"pymc"``, the
            posterior with the same priors. The data are called `data_name` there, ``data`` if the model has none.

        Raises
        ------
        SpecError
            Naming what the package has not; what it has in another way, its priors first of all, comments say.
        """
        return model_code(package, self.design, self.spec, self.priors, self.data_name)

    @classmethod
    def from_bambi(cls, model: Any) -> Model:
        """The same model from a ``bambi.Model``: formula, family, link, data and priors, with correlated effects.

        Correlations, which bambi's models have not, get a uniform prior, LKJ(1).

        Raises
        ------
        SpecError, FormulaError
            If it has something that bayesmix has not.
        """
        from bayesmix.results.interoperability.bambi import read_model, read_priors

        words = read_model(model)
        ours = cls(words.formula, words.data, family=words.family, link=words.link, priors="bambi")
        return cls(
            words.formula,
            words.data,
            family=words.family,
            link=words.link,
            priors=read_priors(model, ours.design, ours.spec),
        )

    def to_bambi(self) -> Any:
        """The same model as a ``bambi.Model`` with the same priors.

        Raises
        ------
        SpecError
            Naming what bambi has not, correlated effects first of all.
        """
        from bayesmix.results.interoperability.bambi import to_bambi

        return to_bambi(self.design, self.spec, self.priors)

    def _check_memory(self, draws: int, chains: int) -> None:
        """Refuse draws of parameters that do not fit into memory; those of many effects are thinned by the sampler."""
        values = self.design.X.shape[1] + 1 + sum(len(term.effects) for term in self.design.terms)
        size = too_much(float(draws) * chains * values)
        if size is not None:
            what = f"draws={draws}, chains={chains}: the draws of {values} parameters would take {size}."
            raise SpecError(f"{what} A few thousand draws are enough for every summary.")

    @property
    def _fitted(self) -> Fitted:
        return Fitted(self.spec, self.design, self.data_name, self.documented, self.units, self._data)

    def __str__(self) -> str:
        return describe_model(self.spec, self.design, self.priors)

    def _repr_html_(self) -> str:
        return model_html(self.spec, self.design, self.priors)

    def __repr__(self) -> str:
        families = ", ".join(response.family.name for response in self.spec.responses)
        links = ", ".join(one.link.name for one in self.spec.predictors if not one.formula.is_implied)
        return f"Model({self.spec.text!r}, family={families!r}, link={links!r})"


def _has_column(data: Any, where: str, name: str) -> bool:
    table = open_table(data) if where == "memory" or not is_remote(data) else open_remote(data)
    return name in table.names


@explained
def load_model(name: str, *, outside: bool = False) -> Model:
    """Build the model of a model file, by its name in ``models/`` or by its path, with its documented figures.

    Parameters
    ----------
    outside : take data that are not beside or below the model file, which a stranger's has no business with.
    """
    return build_model(load_model_file(name, outside=outside))


def build_model(file: ModelFile) -> Model:
    """Build the model of a model file that has been read."""
    return Model(
        file.formula,
        file.load_data(),
        family=file.family,
        link=file.link,
        priors=file.priors,
        weights=file.weights,
        offset=file.offset,
        rescor=file.rescor,
        start=file.start,
        data2=file.load_relations(),
        data_name=file.data_name,
        documented=file.documented_parameters(),
        units=None if file.data.dataset else file.data.units,
    )
