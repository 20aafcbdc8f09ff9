"""Where the numbers of a report come from: seed, draws, versions, data; how to say it in a paper, what to cite."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from bayesmix import __version__
from bayesmix.data.columns import Factor
from bayesmix.fit import Estimate, Fit, Posterior
from bayesmix.inference.parameters.prior_wording import short
from bayesmix.parallel.checkpoint import fingerprint
from bayesmix.results.fits.degrees_of_freedom import has_freedom
from bayesmix.results.tables.summary_sections import kind_of_model, links_named

if TYPE_CHECKING:
    from bayesmix.comparison import Comparison
    from bayesmix.language.formula.model_spec import ModelSpec, Response

ESTIMATES = {
    "REML": "restricted maximum likelihood (REML)",
    "ML": "maximum likelihood",
    "Laplace": "maximum likelihood with the Laplace approximation",
    "AGQ": "maximum likelihood with adaptive Gauss-Hermite quadrature",
}
ENGINES = {
    "marginal": "by the marginal sampler of bayesmix, which integrates the random effects out, exactly",
    "nuts": "by the No-U-Turn sampler on the PyMC model",
}
OURS = "The bayesmix developers ({year}). bayesmix: hierarchical models from an lme4 formula, version {version}."
BATES = (
    "Bates D, Mächler M, Bolker B, Walker S (2015). Fitting linear mixed-effects models using lme4. Journal of"
    " Statistical Software 67(1)."
)
LKJ = (
    "Lewandowski D, Kurowicka D, Joe H (2009). Generating random correlation matrices based on vines and extended onion"
    " method. Journal of Multivariate Analysis 100(9)."
)
SATTERTHWAITE = (
    "Kuznetsova A, Brockhoff PB, Christensen RHB (2017). lmerTest package: tests in linear mixed effects models."
    " Journal of Statistical Software 82(13)."
)
NUTS = (
    "Abril-Pla O et al. (2023). PyMC: a modern and comprehensive probabilistic programming framework in Python. PeerJ"
    " Computer Science 9:e1516."
)
RHAT = (
    "Vehtari A, Gelman A, Simpson D, Carpenter B, Bürkner P-C (2021). Rank-normalization, folding, and localization: an"
    " improved R-hat. Bayesian Analysis 16(2)."
)


def facts(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Name and value of each fact, for a table."""
    first = comparison.fits[0]
    yield "bayesmix", __version__
    for label, fit in zip(comparison.labels, comparison.fits, strict=True):
        if isinstance(fit, Posterior):
            chains, draws = fit.values.lead
            seed = "not kept" if fit.draws.seed is None else f"{fit.draws.seed}"
            yield label, f"{fit.method}, {chains} chains of {draws} draws after warm-up, seed {seed}"
        else:
            yield label, f"{fit.method}, criterion {fit.criterion:.6g}"
    if first.fitted_model.data_name:
        yield "data", first.fitted_model.data_name
    if (checksum := checksum_of_data(first)) is not None:
        yield "checksum of the columns used", checksum
    yield "date", f"{datetime.now(UTC):%Y-%m-%d}"
    yield "environment", f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield "packages", ", ".join(_packages(comparison))


def checksum_of_data(fit: Fit) -> str | None:
    """A text that changes with any value, level or name of the columns used; None where rows are not there."""
    source = fit.design.source
    if source is None:
        return None
    parts = [
        (name, column.levels, column.codes.tolist()) if isinstance(column, Factor) else (name, column.values)
        for name, column in sorted(source.columns.items())
    ]
    return fingerprint(*(one for part in parts for one in part))


def _packages(comparison: Comparison) -> Iterator[str]:
    names = ["numpy", "scipy", "pandas"]
    if any(isinstance(fit, Posterior) and fit.method == "nuts" for fit in comparison.fits):
        names += ["pymc", "pytensor", "nutpie"]
    for name in (*names, "arviz", "matplotlib"):
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue


def methods(comparison: Comparison) -> str:
    """How the fits were made, as a methods section says it."""
    first = comparison.fits[0]
    groups = " and ".join(f"{name} ({count} levels)" for name, count in first.design.group_sizes.items())
    effects = f" with random effects of {groups}" if groups else ""
    kind = kind_of_model(first).lower()
    families = " and ".join(dict.fromkeys(_response(first.spec, one, kind) for one in first.spec.responses))
    article = "an" if kind[0] in "aeiou" else "a"
    sentences = [f"We fitted {article} {kind} ({families}){effects} to {first.nobs} observations: {first.formula}."]
    sentences += [_of_estimate(fit) for fit in comparison.fits if isinstance(fit, Estimate)]
    sentences += [_of_posterior(fit) for fit in comparison.fits if isinstance(fit, Posterior)]
    return " ".join((*sentences, f"Computations were made in bayesmix {__version__}."))


def _response(spec: ModelSpec, response: Response, kind: str) -> str:
    """The distribution of a response, and the link where a model is not linear."""
    link = "" if kind.startswith("linear") else f", {links_named(spec, response)}"
    return f"{response.family.title} response{link}"


def _of_estimate(fit: Estimate) -> str:
    tests = (
        ", and fixed effects were tested with Satterthwaite's degrees of freedom"
        if has_freedom(fit)
        else ", and fixed effects were tested by Wald's z"
    )
    singular = " The fit was singular." if fit.singular else ""
    return f"Point estimates are those of {ESTIMATES[fit.method]}{tests}.{singular}"


def _of_posterior(fit: Posterior) -> str:
    chains, draws = fit.values.lead
    seed = "" if fit.draws.seed is None else f" (seed {fit.draws.seed})"
    how = ENGINES.get(fit.method, f"by {fit.method}, an approximation")
    priors = ", ".join(f"{name} ~ {short(prior)}" for name, prior, _ in fit.priors.rows())
    worst, least = fit.convergence.worst_r_hat, fit.convergence.smallest_ess
    return (
        f"The posterior was sampled {how}, in {chains} chains of {draws} draws after warm-up{seed}; rank-normalised"
        f" R-hat was at most {worst:.3f} and the effective sample size at least {least:.0f}. Priors were {priors}."
    )


def references(comparison: Comparison) -> Iterator[str]:
    """What to cite: the software, and the methods that the fits used."""
    yield OURS.format(year=datetime.now(UTC).year, version=__version__)
    estimates = [fit for fit in comparison.fits if isinstance(fit, Estimate)]
    posteriors = [fit for fit in comparison.fits if isinstance(fit, Posterior)]
    if estimates:
        yield BATES
    if any(has_freedom(fit) for fit in estimates):
        yield SATTERTHWAITE
    if any(short(prior).startswith("LKJ") for fit in posteriors for _, prior, _ in fit.priors.rows()):
        yield LKJ
    if posteriors:
        yield RHAT
    if any(fit.method == "nuts" for fit in posteriors):
        yield NUTS
