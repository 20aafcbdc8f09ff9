"""Log densities by mpmath 1.3 with fifty digits, from the definitions: `python log_densities.py > log_densities.json`.

Arguments are taken as the floating-point numbers that they are.
"""

import json

from mpmath import log, loggamma, mp, mpf, pi

mp.dps = 50


def student(y, mu, sigma, nu):
    z = (y - mu) / sigma
    return loggamma((nu + 1) / 2) - loggamma(nu / 2) - log(nu * pi) / 2 - log(sigma) - (nu + 1) / 2 * log(1 + z**2 / nu)


def beta_density(y, mu, phi):
    a, b = mu * phi, (1 - mu) * phi
    return (a - 1) * log(y) + (b - 1) * log(1 - y) + loggamma(a + b) - loggamma(a) - loggamma(b)


CASES = {
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
}

table = {
    name: [{"y": y, "parameters": own, "log_density": float(density(mpf(y), *map(mpf, own)))} for y, *own in rows]
    for name, (density, rows) in CASES.items()
}
print(json.dumps(table, indent=1))
