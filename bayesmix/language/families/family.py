"""Families: the distribution of a response given its parameters, as a record.

Everything that other stages ask of a family is a field of the record or a method here; no name of a family is compared
elsewhere. Parameters come in the order of `Family.parameters`, the mean first; a density is written once, on an array
namespace (see `namespaces`), and derivatives, the sampler's and the reader's PyMC likelihood follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from bayesmix.arrays import Array
from bayesmix.language.families.link import LINKS, Link
from bayesmix.language.families.namespaces import NUMERIC
from bayesmix.language.families.support import SUPPORTS, Support

GOLDEN = 0.5 * (5.0**0.5 - 1.0)
SECTIONS = 45  # of an interval by that ratio: 4e-10 of it is left
REACH = 20.0  # standard deviations of a response, on the scale of the link, within which its best mean is


@dataclass(frozen=True, slots=True)
class Limit:
    """The family that a distribution becomes where a parameter goes to an end of its range."""

    family: str
    end: Literal["zero", "infinity"] = "infinity"
    near: float = 1e-6  # distance, or one over the value, from which on it cannot be told from the end; in units of the
    # response where the parameter is


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a family."""

    name: str  # "mu", "sigma", "shape"
    links: tuple[str, ...] = ("log",)  # the first is the default
    unit: Literal["response", "none"] = "none"  # whether it scales with the response: what default priors go by
    priors: Mapping[str, str | Callable[[Array], str]] = field(default_factory=dict)  # by preset, where they are not
    # those of all such parameters; functions of the responses
    limit: Limit | None = None
    has_intercept: bool = True  # whether its formula has one; not where thresholds are in its place
    is_threshold: bool = False  # one number for all rows that counts as a fixed effect, by its own name
    of_threshold: str = ""  # the threshold whose category-specific effects it is
    is_mean: bool = False  # takes the formula of the response where it has none: the scores of categories
    exact: Literal["zero", "infinity"] | None = None  # end of its range where the response has no variance left
    endless: float | None = None  # from which on it, or its inverse, means nothing, where no family is its limit
    at_one: str = ""  # all that a response can be where this, a share, is one: "zero"
    is_known: bool = False  # a number that each row has, in place of coefficients
    is_of_curve: bool = False  # an argument of a nonlinear mean
    is_slope: bool = False  # of a predictor that is another response, whose missing values are imputed
    is_monotonic: bool = False  # the size of a monotonic effect: a fixed effect by its own name
    simplex: str = ""  # shares that add up to one: it is what one of them takes of what those before it leave


@dataclass(frozen=True, slots=True)
class Split:
    """The kernel under the first link as a sum of two: of rows with equal parameters it is that of few numbers."""

    linear: Callable[..., Any]  # (xp, y, trials, eta, *others): linear in y, so that all rows have that of their mean
    curved: Callable[..., Any]  # (xp, y, trials, *others): what is not, which does not depend on the mean


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """Formulas that are quicker than Taylor arithmetic and say the same."""

    slopes: Callable[..., tuple[Array, Array, Array]]  # (y, trials, mu, *others): derivatives of the density by mu
    canonical: Callable[[Array, Array, Array], Array] | None = None  # (y, eta, trials): density under the first link
    predictor: Callable[..., Any] | None = None  # (xp, y, trials, eta, *others): the kernel under that link
    split: Split | None = None  # the same in two parts


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A response distribution.

    ``*others`` are the parameters beside the mean: arrays that broadcast with it, in the order of `parameters`.
    """

    name: str
    parameters: tuple[Parameter, ...]  # the mean first
    support: str  # one of `SUPPORTS`
    kernel: Callable[..., Any]  # (xp, y, trials, mu, *others): log density up to `base`
    cdf: Callable[..., Array]  # (y, trials, mu, *others): P(response <= y)
    sample: Callable[..., Array]  # (rng, trials, mu, *others): draws of y
    variance: Callable[..., Array]  # (trials, mu, *others): of y / trials
    base: Callable[[Array, Array], Array] = lambda y, trials: np.zeros(())  # (y, trials): what no parameter changes
    log_tails: Callable[..., tuple[Any, Any]] | None = None  # (xp, y, trials, mu, *others): logarithms of P(response
    # <= y) and P(response > y), for censored and truncated responses, which a family without it does not have
    adds_up: bool = False  # whether they are sums of a term a count where they are symbols
    untold: str = ""  # why it has none, in words
    expected: Callable[..., Array] | None = None  # (trials, mu, *others): mean of y / trials where that is not mu
    probabilities: Callable[..., Array] | None = None  # (mu, *others): of all categories, (K, ...)
    crude: Callable[[Array, Array], tuple[float, ...]] | None = None  # (y, trials): one start of each parameter; needed
    # where mu is not the mean: regressions begin there, not at means by groups of rows
    apart: Callable[[Array, Array], tuple[float, ...]] | None = None  # the same, where another mode may be
    scale: str = "identity"  # the link that takes responses to the scale of mu: "log" of a lognormal distribution
    printed: str = ""  # as R prints it where that is not `name`: "Gamma", "Negative Binomial"
    words: str = ""  # as the model's text has it: "Normal(mu[i], sigma)"
    deviance: Callable[..., Array] | None = None  # (y, trials, mu, *others): R's unit deviances
    moments: Callable[[Array, Array], tuple[float, ...]] | None = None  # (y, mu): starting values of the others
    pymc: Callable[..., tuple[str, dict[str, Any]]] | None = None  # (trials, mu, *others): PyMC's name and arguments
    closed_form: ClosedForm | None = None
    sums: Literal["trials", "exposure"] | None = (
        None  # of rows with the same parameters: whether the likelihood is that
    )
    # of the sum of the responses, with the sum of the trials, or with the mean multiplied by the number of rows
    exposed: tuple[str, ...] | None = None  # of counts over a time: the parameters that grow with it beside the mean
    process: Family | None = (
        None  # the counts over any time of which it is those over one, the parameters of `exposed` one
    )
    weights: Literal["precision", "likelihood"] = "likelihood"  # what prior weights multiply
    has_scale: bool = False  # the other parameter is R's scale: Pearson's statistic estimates it, variances are by it
    levels: tuple[str, ...] = ()  # of a response of several categories, whose codes the responses are
    with_levels: Callable[..., Family] | None = None  # (levels, name of a link, names of parameters with formulas)
    recipe: tuple[Any, ...] | None = None  # arguments of `with_levels` that made it, after its name: what is pickled
    is_cut: bool = False  # whether a latent variable falls between thresholds, which are then in order
    latent: Link | None = None  # link of mu where that is the mean of a latent variable
    rises: Array | None = (
        None  # (K, m, P): per category the linear forms of its predictors that may grow for ever while
    )
    # it becomes only likelier, if none of them falls; of as many of the parameters as have one
    smooth: Family | None = None  # a smooth distribution next to it, where its density has kinks
    noisy: Family | None = None  # of a mean and sigma first: with errors of known size beside, of `se(s, sigma = TRUE)`
    curve: Any = None  # a `Curve`: the nonlinear mean that a family was given
    slopes: Any = None  # `Slopes`: what other responses its mean depends on
    steps: Any = None  # the `Steps` of monotonic effects on its mean
    is_normal: bool = False  # mean and standard deviation of a normal distribution: linear under the identity link

    @property
    def title(self) -> str:
        """Its name in print."""
        return self.printed or self.name

    @property
    def links(self) -> tuple[str, ...]:
        """Links of the mean, the default first."""
        return self.parameters[0].links

    @property
    def dispersion(self) -> str | None:
        """Name of the parameter beside the mean, None where there is none."""
        return self.parameters[1].name if len(self.parameters) > 1 else None

    @property
    def limits(self) -> set[str]:
        """Names of the families that it may become at the ends of its parameters."""
        return {parameter.limit.family for parameter in self.parameters if parameter.limit is not None}

    @property
    def is_plain(self) -> bool:
        """Whether there is one parameter, or a mean and a positive number: what one linear predictor is enough for."""
        others = [LINKS[parameter.links[0]].is_logarithm for parameter in self.parameters[1:]]
        return not others or (self.expected is None and others == [True])

    @property
    def is_ordered(self) -> bool:
        """Whether its categories have an order, which thresholds part."""
        return any(parameter.is_threshold for parameter in self.parameters)

    @property
    def is_nominal(self) -> bool:
        """Whether its categories have none: their codes are names."""
        return bool(self.levels) and not self.is_ordered

    @property
    def values(self) -> Support:
        """Facts on the support."""
        return SUPPORTS[self.support]

    @property
    def has_category_counts(self) -> bool:
        """Whether a response is how often each category occurred, as one number (`category_counts`)."""
        return bool(self.levels) and self.values.has_trials

    @property
    def response(self) -> Literal["numeric", "binomial", "categories", "category_counts"]:
        """Kind of response that the data stage reads."""
        if self.levels:
            return "category_counts" if self.has_category_counts else "categories"
        return "binomial" if self.values.has_trials else "numeric"

    def on_scale(self, y: Array) -> Array:
        """Responses on the scale of mu; the mean of all others where one has no such value."""
        if self.scale == "identity":
            return y
        with np.errstate(divide="ignore", invalid="ignore"):
            values = LINKS[self.scale].of(y)
        is_finite = np.isfinite(values)
        return values if is_finite.all() else np.where(is_finite, values, np.mean(values[is_finite]))

    def is_canonical(self, link: Link) -> bool:
        """Whether a link is the first of the mean's: that of the closed forms on the predictor."""
        return link.name == self.links[0]

    def kernel_of(self, link: Link) -> Callable[..., Any]:
        """`kernel` as a function of the mean's linear predictor: ``(xp, y, trials, eta, *others)``."""
        if self.closed_form is not None and self.closed_form.predictor is not None and self.is_canonical(link):
            return self.closed_form.predictor
        return lambda xp, y, trials, eta, *others: self.kernel(xp, y, trials, link.formula(xp, eta), *others)

    def with_excess(self, excess: Array | None) -> Family:
        """The family of responses whose log densities are larger by what no parameter changes ``(n,)``."""
        if excess is None:
            return self
        canonical = None if self.closed_form is None else self.closed_form.canonical
        form = self.closed_form
        if form is not None and canonical is not None:
            form = replace(form, canonical=lambda y, eta, trials: canonical(y, eta, trials) + excess)
        return replace(self, base=lambda y, trials: self.base(y, trials) + excess, closed_form=form)

    def others(self, dispersion: Any) -> tuple[Any, ...]:
        """The parameters beside the mean, from the dispersion or from anything where there is none."""
        return (dispersion,) if len(self.parameters) > 1 else ()

    def mean(self, trials: Array, mu: Array, *others: Array) -> Array:
        """Mean of responses per trial."""
        return mu if self.expected is None else self.expected(trials, mu, *others)

    def log_density(self, y: Array, trials: Array, mu: Array, *others: Array) -> Array:
        """Log density of responses."""
        return np.asarray(self.kernel(NUMERIC, y, trials, mu, *others) + self.base(y, trials))

    def unit_deviance(self, y: Array, trials: Array, mu: Array, *others: Array) -> Array:
        """Twice the distance of the log density from its largest value over the mean, response by response."""
        if self.deviance is not None:
            return self.deviance(y, trials, mu, *others)
        distance = self._saturated(y, trials, *others) - self.kernel(NUMERIC, y, trials, mu, *others)
        return np.asarray(np.maximum(2.0 * distance, 0.0))

    def _saturated(self, y: Array, trials: Array, *others: Array) -> Array:
        """The kernel at the best mean of each response, which is the response itself in exponential families only."""
        link = LINKS[self.links[0]]
        start = self.starting_mean(link, y / trials, trials)
        reach = REACH * np.sqrt(link.variance(start, self.variance(trials, start, *others)))
        with np.errstate(all="ignore"):
            return peak(
                lambda eta: np.asarray(self.kernel(NUMERIC, y, trials, link.mean(eta), *others)),
                link.of(start) - reach,
                link.of(start) + reach,
            )

    def starting_mean(self, link: Link, share: Array, trials: Array) -> Array:
        """Means near the response at which a fit starts, inside the range of the link."""
        if link.is_identity and not self.values.is_discrete:
            return share
        return self.values.start(share, trials)

    def start(self, y: Array, mu: Array) -> tuple[float, ...]:
        """Starting values of the parameters beside the mean, by the method of moments where the family has one."""
        return self.moments(y, mu) if self.moments is not None else (1.0,) * (len(self.parameters) - 1)


def is_linear(family: Family, link: Link) -> bool:
    """Whether the response is normal around the linear predictor itself: a linear mixed model."""
    return family.is_normal and link.is_identity


def peak(function: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Largest values of functions of one peak each between bounds, all at once, by golden section."""
    for _ in range(SECTIONS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        is_left = function(left) >= function(right)
        low, high = np.where(is_left, low, left), np.where(is_left, right, high)
    return function(0.5 * (low + high))
