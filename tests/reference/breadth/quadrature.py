"""Marginal likelihoods by adaptive one-dimensional quadrature, level by level: groups that differ in log(sigma) alone.

y ~ N(beta_0 + beta_1 x, exp(gamma + b_g)^2), b_g ~ N(0, s^2). Run in this folder: python quadrature.py; needs NumPy
and SciPy alone. Each integral is taken twice, on pieces of different lengths; the largest difference is recorded.
"""

import csv
import json
from itertools import pairwise

import numpy as np
import scipy
from scipy.integrate import quad
from scipy.stats import norm

with open("data/spread.csv", encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
X, Y, G = np.array([float(r["x"]) for r in ROWS]), np.array([float(r["y"]) for r in ROWS]), [r["g"] for r in ROWS]
LEVELS = sorted(set(G))
POINTS = [
    {"Intercept": 1.0, "x": 0.8, "sigma_Intercept": -0.3, "sd(g, sigma_Intercept)": 0.6},
    {"Intercept": 0.8, "x": 1.1, "sigma_Intercept": 0.2, "sd(g, sigma_Intercept)": 0.25},
    {"Intercept": 1.3, "x": 0.4, "sigma_Intercept": -0.7, "sd(g, sigma_Intercept)": 1.5},
]


def log_level(point, level, pieces):
    """The log of one level's integral, over 14 standard deviations of b, in `pieces`."""
    rows = np.array([g == level for g in G])
    residual = Y[rows] - point["Intercept"] - point["x"] * X[rows]
    s = point["sd(g, sigma_Intercept)"]

    def log_integrand(b):
        return norm.logpdf(residual, 0.0, np.exp(point["sigma_Intercept"] + b)).sum() + norm.logpdf(b, 0.0, s)

    grid = np.linspace(-14.0 * s, 14.0 * s, pieces + 1)
    top = max(log_integrand(b) for b in np.linspace(-14.0 * s, 14.0 * s, 4001))
    options = {"epsabs": 1e-16, "epsrel": 1e-13, "limit": 400}
    total = sum(quad(lambda b: np.exp(log_integrand(b) - top), *ends, **options)[0] for ends in pairwise(grid))
    return top + np.log(total)


found, worst = [], 0.0
for point in POINTS:
    values = [-2.0 * sum(log_level(point, level, pieces) for level in LEVELS) for pieces in (56, 97)]
    worst = max(worst, abs(values[0] - values[1]))
    found.append({"parameters": point, "criterion": values[0]})
print(
    json.dumps(
        {
            "case": "spread",
            "data": "spread",
            "formula": {"mu": "y ~ x", "sigma": "~ 1 + (1 | g)"},
            "family": "gaussian",
            "criterion": "-2 log marginal likelihood, every constant in it; no Laplace",
            "points": found,
            "largest_difference_of_two_subdivisions": worst,
            "software": {"scipy": scipy.__version__, "numpy": np.__version__},
        },
        indent=1,
    )
)
