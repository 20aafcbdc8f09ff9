"""A model in words and symbols before it is fitted: maths, terms, levels, every prior in data units."""

from __future__ import annotations

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
    lines += ["", "Model", *_maths(spec, design)]
    lines += ["", "Priors", *_priors(spec, design, priors)]
    return "\n".join(lines)


def _dropped(design: Design) -> str:
    missing = design.n_given - len(design.y)
    return f" ({missing} dropped for missing values)" if missing else ""


def _groups(design: Design) -> str:
    sizes = {term.group: len(term.levels) for term in design.terms}
    return ", ".join(f"{group} with {levels} levels" for group, levels in sizes.items())


def _maths(spec: ModelSpec, design: Design) -> list[str]:
    eta = "mu[i]" if spec.link.name == "identity" else f"{spec.link.name}(mu[i])"
    fixed = " + ".join("beta[Intercept]" if name == "Intercept" else f"beta[{name}] {name}[i]" for name in design.fixed)
    random = [f"b[{term.group}: {_sum(term)}]" for term in design.terms]
    offset = ["offset[i]"] if np.any(design.offset != 0.0) else []
    lines = [f"  {design.response}[i] ~ {_LIKELIHOOD[spec.family.name]}"]
    if np.any(design.weights != 1.0):
        lines[0] += "  with weights"
    lines.append(f"  {eta} = {' + '.join([part for part in (fixed, *random, *offset) if part])}")
    for term in design.terms:
        lines.append(f"  {_distribution(term)}")
    return lines


def _sum(term: Term) -> str:
    parts = ["1" if effect == "Intercept" else f"{effect}[i]" for effect in term.effects]
    return " + ".join(parts)


def _distribution(term: Term) -> str:
    levels = f"b[{term.group}], each of {len(term.levels)} levels"
    if len(term.effects) == 1:
        return f"{levels} ~ Normal(0, sd({term.group}, {term.effects[0]}))"
    shape = "independent" if term.structure == "diag" else "correlated"
    return f"{levels} ~ Normal(0, Sigma): {len(term.effects)} {shape} effects ({', '.join(term.effects)})"


def _priors(spec: ModelSpec, design: Design, priors: Priors) -> list[str]:
    rows = [(name, prior, _says(prior)) for name, prior in zip(priors.names, priors.fixed, strict=True)]
    for term, sd, eta in zip(design.terms, priors.sd, priors.corr, strict=True):
        rows += [(name, prior, _says(prior)) for name, prior in zip(term_names(term), sd, strict=True)]
        if eta is not None:
            rows.append((f"corr({term.group})", Prior("LKJ", (eta,)), _says_lkj(eta, len(term.effects))))
    if priors.dispersion is not None:
        rows.append((str(priors.dispersion_name), priors.dispersion, _says(priors.dispersion)))
    width = max(len(name) for name, _, _ in rows)
    texts = [_short(prior) for _, prior, _ in rows]
    middle = max(map(len, texts))
    return [f"  {name:<{width}} ~ {text:<{middle}}  {says}" for (name, _, says), text in zip(rows, texts, strict=True)]


def _short(prior: Prior) -> str:
    return f"{prior.kind}({', '.join(f'{argument:.4g}' for argument in prior.arguments)})"


def _says(prior: Prior) -> str:
    if prior.is_flat:
        return "flat: every value alike (improper)"
    low, high = quantiles(prior)
    return f"95 % below {high:.3g}" if prior.is_positive else f"95 % within {low:.3g} .. {high:.3g}"


def quantiles(prior: Prior) -> tuple[float, float]:
    """Bounds that hold 95 %: from zero for a positive parameter, central otherwise."""
    from scipy.stats import distributions as d

    arguments = prior.arguments
    match prior.kind:
        case "Normal":
            frozen = d.norm(*arguments)
        case "StudentT":
            frozen = d.t(*arguments)
        case "Cauchy":
            frozen = d.cauchy(*arguments)
        case "Laplace":
            frozen = d.laplace(*arguments)
        case "HalfNormal":
            frozen = d.halfnorm(0.0, *arguments)
        case "HalfStudentT":
            return 0.0, float(arguments[1] * d.t(arguments[0]).ppf(0.975))
        case "HalfCauchy":
            frozen = d.halfcauchy(0.0, *arguments)
        case "Exponential":
            frozen = d.expon(0.0, 1.0 / arguments[0])
        case "Gamma":
            frozen = d.gamma(arguments[0], scale=1.0 / arguments[1])
        case "InverseGamma":
            frozen = d.invgamma(arguments[0], scale=arguments[1])
        case "LogNormal":
            frozen = d.lognorm(arguments[1], scale=np.exp(arguments[0]))
        case "Uniform":
            frozen = d.uniform(arguments[0], arguments[1] - arguments[0])
        case _:
            raise AssertionError(prior.kind)
    if prior.is_positive:
        return 0.0, float(frozen.ppf(0.95))
    return float(frozen.ppf(0.025)), float(frozen.ppf(0.975))


def _says_lkj(eta: float, k: int) -> str:
    """Marginally ``(1 + r) / 2 ~ Beta(a, a)`` with ``a = eta - 1 + k / 2``."""
    from scipy.stats import distributions as d

    a = eta - 1.0 + 0.5 * k
    return f"95 % of each correlation within +-{2.0 * float(d.beta(a, a).ppf(0.975)) - 1.0:.2f}"
