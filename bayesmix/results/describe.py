"""A model in words and symbols before it is fitted: maths, terms, levels, every prior in data units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmix.data.design import Design, Term
from bayesmix.inference.priors import Priors, term_names
from bayesmix.language.prior import Prior
from bayesmix.language.spec import ModelSpec

Array = np.ndarray

_LIKELIHOOD = {
    "gaussian": "Normal(mu[i], sigma)",
    "poisson": "Poisson(mu[i])",
    "binomial": "Binomial(trials[i], mu[i])",
    "bernoulli": "Bernoulli(mu[i])",
    "gamma": "Gamma(mean mu[i], shape)",
    "negbinomial": "NegativeBinomial(mean mu[i], shape)",
}


def describe_model(spec: ModelSpec, design: Design, priors: Priors) -> str:
    """The expanded model as text."""
    lines = [f"Formula: {spec.formula.text}", f"Family: {spec.family.title} ( {spec.link.name} )"]
    lines.append(f"Data: {len(design.y)} rows{_dropped(design)}; {_groups(design)}")
    lines += ["", "Model", *maths(spec, design)]
    lines += ["", "Priors", *_priors(spec, design, priors)]
    return "\n".join(lines)


def _dropped(design: Design) -> str:
    missing = design.n_given - len(design.y)
    return f" ({missing} dropped for missing values)" if missing else ""


def _groups(design: Design) -> str:
    sizes = {term.group: len(term.levels) for term in design.terms}
    return ", ".join(f"{group} with {levels} levels" for group, levels in sizes.items())


def maths(spec: ModelSpec, design: Design) -> list[str]:
    """The model in symbols, one line a distribution."""
    eta = "mu[i]" if spec.link.name == "identity" else f"{spec.link.name}(mu[i])"
    fixed = " + ".join("beta[Intercept]" if name == "Intercept" else f"beta[{name}] {name}[i]" for name in design.fixed)
    random = [f"b[{term.group}: {_sum(term)}]" for term in design.terms]
    offset = ["offset[i]"] if np.any(design.offset != 0.0) else []
    lines = [f"  {design.response}[i] ~ {_LIKELIHOOD[spec.family.name]}"]
    if np.any(design.weights != 1.0):
        lines[0] += "  with weights"
    lines.append(f"  {eta} = {' + '.join([part for part in (fixed, *random, *offset) if part])}")
    return lines + [f"  {_distribution(term)}" for term in design.terms]


def _sum(term: Term) -> str:
    parts = ["1" if effect == "Intercept" else f"{effect}[i]" for effect in term.effects]
    return " + ".join(parts)


def _distribution(term: Term) -> str:
    levels = f"b[{term.group}], each of {len(term.levels)} levels"
    if len(term.effects) == 1:
        return f"{levels} ~ Normal(0, sd({term.group}, {term.effects[0]}))"
    shape = "independent" if term.structure == "diag" else "correlated"
    return f"{levels} ~ Normal(0, Sigma): {len(term.effects)} {shape} effects ({', '.join(term.effects)})"


def prior_rows(spec: ModelSpec, design: Design, priors: Priors) -> list[tuple[str, str, str]]:
    """Parameter, prior and what it says in data units, of every prior in force."""
    rows = [(name, prior, _says(prior)) for name, prior in zip(priors.names, priors.fixed, strict=True)]
    for term, sd, eta in zip(design.terms, priors.sd, priors.corr, strict=True):
        rows += [(name, prior, _says(prior)) for name, prior in zip(term_names(term), sd, strict=True)]
        if eta is not None:
            rows.append((f"corr({term.group})", Prior("LKJ", (eta,)), _says_lkj(eta, len(term.effects))))
    if priors.dispersion is not None:
        rows.append((str(priors.dispersion_name), priors.dispersion, _says(priors.dispersion)))
    return [(name, _short(prior), says) for name, prior, says in rows]


def _priors(spec: ModelSpec, design: Design, priors: Priors) -> list[str]:
    rows = prior_rows(spec, design, priors)
    width, middle = (max(len(row[column]) for row in rows) for column in (0, 1))
    return [f"  {name:<{width}} ~ {prior:<{middle}}  {says}" for name, prior, says in rows]


def _short(prior: Prior) -> str:
    return f"{prior.kind}({', '.join(f'{argument:.4g}' for argument in prior.arguments)})"


def _says(prior: Prior) -> str:
    if prior.is_flat:
        return "flat: every value alike (improper)"
    low, high = quantiles(prior)
    return f"95 % below {high:.3g}" if prior.is_positive else f"95 % within {low:.3g} .. {high:.3g}"


def quantiles(prior: Prior) -> tuple[float, float]:
    """Bounds that hold 95 %: from zero for a positive parameter, central otherwise."""
    from scipy import stats

    frozen: dict[str, Callable[..., Any]] = {
        "Normal": stats.norm,
        "StudentT": stats.t,
        "Cauchy": stats.cauchy,
        "Laplace": stats.laplace,
        "HalfNormal": lambda sigma: stats.halfnorm(0.0, sigma),
        "HalfStudentT": lambda nu, sigma: _HalfStudent(stats.t(nu, 0.0, sigma)),
        "HalfCauchy": lambda sigma: stats.halfcauchy(0.0, sigma),
        "Exponential": lambda rate: stats.expon(0.0, 1.0 / rate),
        "Gamma": lambda alpha, beta: stats.gamma(alpha, scale=1.0 / beta),
        "InverseGamma": lambda alpha, beta: stats.invgamma(alpha, scale=beta),
        "LogNormal": lambda mu, sigma: stats.lognorm(sigma, scale=np.exp(mu)),
        "Uniform": lambda lower, upper: stats.uniform(lower, upper - lower),
    }
    distribution = frozen[prior.kind](*prior.arguments)
    if prior.is_positive:
        return 0.0, float(distribution.ppf(0.95))
    return float(distribution.ppf(0.025)), float(distribution.ppf(0.975))


@dataclass(frozen=True, slots=True)
class _HalfStudent:
    """The positive half of a Student t distribution."""

    whole: Any

    def ppf(self, q: float) -> float:
        return float(self.whole.ppf(0.5 + 0.5 * q))


def _says_lkj(eta: float, k: int) -> str:
    """Marginally ``(1 + r) / 2 ~ Beta(a, a)`` with ``a = eta - 1 + k / 2``."""
    from scipy import stats

    a = eta - 1.0 + 0.5 * k
    return f"95 % of each correlation within +-{2.0 * float(stats.beta(a, a).ppf(0.975)) - 1.0:.2f}"
