"""Log densities by mpmath 1.3 with fifty digits, from the definitions: `python log_densities.py > log_densities.json`.

Arguments are taken as the floating-point numbers that they are.
"""

import json

from mpmath import besseli, cos, erfc, log, loggamma, mp, mpf, pi, sqrt

mp.dps = 50


def student(y, mu, sigma, nu):
    z = (y - mu) / sigma
    return loggamma((nu + 1) / 2) - loggamma(nu / 2) - log(nu * pi) / 2 - log(sigma) - (nu + 1) / 2 * log(1 + z**2 / nu)


def beta_density(y, mu, phi):
    a, b = mu * phi, (1 - mu) * phi
    return (a - 1) * log(y) + (b - 1) * log(1 - y) + loggamma(a + b) - loggamma(a) - loggamma(b)


def betabinomial(y, trials, mu, phi):
    a, b = mu * phi, (1 - mu) * phi
    ways = loggamma(trials + 1) - loggamma(y + 1) - loggamma(trials - y + 1)
    with_shapes = loggamma(y + a) + loggamma(trials - y + b) - loggamma(trials + phi)
    return ways + with_shapes + loggamma(phi) - loggamma(a) - loggamma(b)


def normal(z):
    return erfc(-z / sqrt(2)) / 2


def exgaussian(y, mu, sigma, beta):
    z = y - mu + beta
    return -log(beta) + sigma**2 / (2 * beta**2) - z / beta + log(normal(z / sigma - sigma / beta))


def skew_normal(y, mu, sigma, alpha):
    delta = alpha / sqrt(1 + alpha**2) * sqrt(2 / pi)
    omega = sigma / sqrt(1 - delta**2)
    z = (y - mu) / omega + delta
    return log(2) - log(omega) - log(2 * pi) / 2 - z**2 / 2 + log(normal(alpha * z))


def von_mises(y, mu, kappa):
    return kappa * cos(y - mu) - log(2 * pi) - log(besseli(0, kappa))


CASES = {
    "von_mises": (
        von_mises,
        [(y, 0.3, kappa) for y in (-2.0, 0.31, 3.0) for kappa in (1e-8, 0.1, 50.0, 700.0, 1e3, 1e4, 1e6)],
    ),
    "exgaussian": (
        exgaussian,
        [(y, 0.5, 1.0, beta) for y in (-3.0, 0.4, 6.0) for beta in (1e-6, 1e-3, 0.03, 0.033, 0.04, 1.0, 50.0)]
        + [
            (0.5, 0.4, 1e-3, 0.1),
            (0.299, 0.4, 1e-3, 0.1),
            (300.0, 1.0, 1.0, 2.0),
            (1e12, 0.0, 1.0, 3.0),
            (-1e6, 0.0, 1.0, 3.0),
        ],
    ),
    "skew_normal": (
        skew_normal,
        [(y, 0.3, 1.2, alpha) for y in (-2.0, 0.2, 4.0) for alpha in (-30.0, -1e-4, 0.0, 2.0, 8.0)],
    ),
    "student": (
        student,
        [(0.3, 1.0, 2.0, nu) for nu in (0.3, 50.0, 199.0, 201.0, 5e3, 1e6, 3e8, 1e12)]
        + [(y, 0.0, 1.0, 1e6) for y in (-9.0, 4.0, 30.0)],
    ),
    "beta": (
        beta_density,
        [(0.3, 0.31, phi) for phi in (0.01, 90.0, 320.0, 350.0, 1e4, 1e6, 1e9)]
        + [(1e-12, 1e-3, 0.5), (0.999999, 0.99, 2e3), (0.5, 0.5, 1e12), (1e-200, 0.2, 3.0)],
    ),
    "betabinomial": (  # trials, mu, phi
        betabinomial,
        [(y, 1e9, mu, phi) for y in (0.0, 7.0, 3e8, 1e9 - 30.0, 1e9) for mu in (0.3, 0.97) for phi in (0.5, 8.0, 300.0)]
        + [(1e5, 2e5, 0.4, 20.0), (99_999.0, 1e5, 0.9, 3.0), (3.0, 1e5 + 1.0, 0.02, 50.0)],
    ),
}

table = {
    name: [{"y": y, "parameters": own, "log_density": float(density(mpf(y), *map(mpf, own)))} for y, *own in rows]
    for name, (density, rows) in CASES.items()
}
print(json.dumps(table, indent=1))
