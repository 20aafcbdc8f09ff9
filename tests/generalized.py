"""Small generalized models of every family and link, with the densities of their rows by SciPy."""

from __future__ import annotations

import numpy as np
from densities import MEAN, PLAIN, log_density
from handmade import level_codes, make_design, make_term

from bayesmix.inference.estimation.conditional_mode import Effects, find_mode, generalized_problem
from bayesmix.inference.least_squares.scaling import coordinates
from bayesmix.language.families.registry import FAMILIES
from bayesmix.language.formula.model_spec import make_spec

LINKS = [(name, link) for name in PLAIN for link in FAMILIES[name].links]
COUNTS = [("poisson", "log"), ("binomial", "logit"), ("bernoulli", "cloglog"), ("gamma", "log"), ("negbinomial", "log")]
DISPERSION = 1.7

DIFFERENCED = {"rtol": 1e-6, "atol": 1e-6}  # fourth-order differences of values good to 1e-11
EXACT = 1e-9


def middle(family, link):
    """A linear predictor at which the mean is well inside its range, so that no random effect leaves it."""
    return {"identity": 6.0, "inverse": 0.6, "sqrt": 2.0}.get(link, 0.3)


def make(family, link, *, k=1, levels=4, n=24, seed=0, weighted=True, crossed=False):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.0, 1.0, n)
    z = np.column_stack([np.ones(n), x, x**2 - 0.3])[:, :k]
    terms = [make_term("g", level_codes(rng, n, levels), z)]
    if crossed:
        terms.append(make_term("h", level_codes(rng, n, 3), np.ones((n, 1))))
    X = np.column_stack([np.ones(n), x])
    eta = middle(family, link) + 0.1 * x
    trials = rng.integers(2, 9, n).astype(float) if family == "binomial" else np.ones(n)
    y = FAMILIES[family].sample(rng, trials, MEAN[link](eta), *FAMILIES[family].others(np.full(n, DISPERSION)))
    options = {"weights": rng.uniform(0.5, 2.0, n), "offset": rng.uniform(-0.02, 0.02, n)} if weighted else {}
    design = make_design(y, X, terms, trials=trials if family == "binomial" else None, **options)
    working = coordinates(design)
    problem = generalized_problem(design, working, make_spec("y ~ 1", family, link, None))
    return design, working, problem


def start(working, link, family, size=0.2):
    """Covariance parameters and fixed effects at which every mean is possible."""
    rng = np.random.default_rng(5)
    small = {"identity": 0.3, "inverse": 0.03, "sqrt": 0.1}.get(link, size)
    theta = small * (1.0 + 0.3 * rng.normal(size=working.size))
    beta = np.array([middle(family, link), 0.05])
    return theta, np.linalg.solve(working.T, beta)


def log_joint_rows(design, family, link, eta, dispersion=DISPERSION):
    """Log densities of the rows by scipy, weighted as the model weights them."""
    trials = np.ones(len(design.y)) if design.trials is None else design.trials
    mu = MEAN[link](eta)
    if family == "gaussian":
        return log_density(family, design.y, mu, dispersion / np.sqrt(design.weights))
    return design.weights * log_density(family, design.y, mu, dispersion, trials)


def at(problem, working, x, family, *, dispersion=DISPERSION, start_u=None):
    m = working.size
    Lambdas = working.by_factor(x[:m])
    fixed = working.X @ x[m:] + problem.offset
    begin = None if start_u is None else Effects(start_u, np.zeros(0))
    return Lambdas, find_mode(problem, Lambdas, fixed, dispersion, begin)
