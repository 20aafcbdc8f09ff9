"""Distribution functions of beta-binomial counts of many trials, by mpmath 1.3 with 60 digits.

`python betabinomial_cdf.py > betabinomial_cdf.json`: rows of successes, trials, mean, precision, and the probability
of no more successes: the first probabilities added up one by one, the rest by the midpoint formula of Euler and
Maclaurin, an integral of the density from half a count below to half a count above, with the first two corrections.
"""

import json

from mpmath import diff, exp, loggamma, mp, mpf, quad, sqrt

mp.dps = 60
FIRST = 3000
AT = [
    (300_000_000, 10**9, 0.3, 8.0),
    (5_000, 10**9, 0.02, 0.5),
    (999_999_000, 10**9, 0.9, 3.0),
    (500_010_000, 10**9, 0.5, 1e9),
    (499_000_000, 10**9, 0.5, 1e6),
    (700, 2_000, 0.3, 40.0),
    (1_500, 100_000, 0.0125, 2e3),
    (10_050, 10**6, 0.01, 1e8),
]


def probability(y, trials, mu, phi):
    a, b, n = mpf(mu) * mpf(phi), (1 - mpf(mu)) * mpf(phi), mpf(trials)
    constant = loggamma(n + 1) + loggamma(a + b) - loggamma(a) - loggamma(b) - loggamma(n + a + b)

    def density(k):
        ways = loggamma(k + 1) + loggamma(n - k + 1)
        return exp(constant + loggamma(k + a) + loggamma(n - k + b) - ways)

    total = sum(density(mpf(k)) for k in range(min(FIRST, y + 1)))
    if y < FIRST:
        return total
    low, high = mpf(FIRST) - mpf(1) / 2, mpf(y) + mpf(1) / 2
    middle, sd = n * mu, sqrt(n * mu * (1 - mpf(mu)) * (a + b + n) / (a + b + 1))
    edges = {low, high}
    for place, width in ((middle, sd), (high, sd), (low, low), (n, n - high + 1)):
        edges |= {place + way * step * width for step in (0, 0.5, 1, 2, 4, 8, 16, 32, 64, 256, 1024) for way in (-1, 1)}
    edges |= {low * 4**j for j in range(12)} | {high - 4**j for j in range(16)}
    total += quad(density, sorted(one for one in edges if low <= one <= high))
    first, third = (diff(density, high, k) - diff(density, low, k) for k in (1, 3))
    return total - first / 24 + 7 * third / 5760


rows = [
    {"y": y, "parameters": [trials, mu, phi], "cdf": float(probability(y, trials, mu, phi))}
    for y, trials, mu, phi in AT
]
print(json.dumps(rows, indent=1))
