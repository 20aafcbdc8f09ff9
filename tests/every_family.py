"""Small data of every family: a response of its support beside a number, a factor and a group."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from bayesmix.language.families.registry import FAMILIES

N = 60


@cache
def responses():
    """By the support's name."""
    rng = np.random.default_rng(1)
    x = predictors()["x"].to_numpy()
    positive, share, counts = rng.gamma(2.0, size=N), rng.beta(2.0, 3.0, N), rng.poisson(np.exp(0.8 + 0.3 * x))
    is_zero, is_one = np.arange(N) % 5 == 0, np.arange(N) % 7 == 0
    return {
        "real": 5.0 + 2.0 * rng.normal(size=N),
        "angle": rng.vonmises(0.3, 2.0, N),
        "positive": positive,
        "proportion": share,
        "zero_or_proportion": np.where(is_zero, 0.0, share),
        "closed_proportion": np.where(is_zero, 0.0, np.where(is_one, 1.0, share)),
        "counts": counts,
        "positive_counts": counts + 1,
        "zeros_and_counts": np.where(is_zero, 0, counts + 1),
        "zeros_and_positive": np.where(is_zero, 0.0, positive),
        "zero_or_positive": np.where(is_zero, 0.0, positive),
        "trials": rng.binomial(9, 0.4, N),
        "binary": (rng.random(N) < 0.4).astype(int),
        "ordered": pd.Categorical(rng.choice(["never", "sometimes", "often"], N), ["never", "sometimes", "often"]),
        "nominal": rng.choice(["red", "green", "blue"], N),
        "category_counts": pd.DataFrame(rng.multinomial(9, [0.2, 0.3, 0.5], N), columns=["red", "green", "blue"]),
    }


@cache
def predictors():
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "x": rng.normal(size=N),
            "f": np.array(["control", "treatment"])[np.arange(N) % 2],
            "g": [f"level {j}" for j in np.arange(N) % 6],
            "t": 9,
        }
    )


def data_of(name, response=None):
    """Rows of a family, with its own responses or others."""
    own = responses()[FAMILIES[name].support] if response is None else response
    return predictors().assign(**(own if isinstance(own, pd.DataFrame) else {"response": own}))


def formulas_of(name, *, of_all=False, beside=""):
    """The formula of the mean, with that of every parameter beside it."""
    family = FAMILIES[name]
    additions = " + ".join(filter(None, ("trials(t)" if family.support == "trials" else "", beside)))
    response = "cbind(red, green, blue)" if family.has_category_counts else "response"
    mean = f"{response}{' | ' * bool(additions)}{additions} ~ x + f + (1 | g)"
    named = [one.name for one in family.parameters[1:] if not (one.is_threshold or one.is_mean)]
    if family.is_ordered:
        named = ["disc"]
    rest = {"disc": "x"}
    return [mean, *(f"{one} ~ {rest.get(one, 'x + f')}" for one in named if of_all)]
