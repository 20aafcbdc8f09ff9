"""Stan's posteriors of generalized models: what was fitted, and how brms calls the parameters."""

from __future__ import annotations

from pathlib import Path

POSTERIORS = Path(__file__).parent / "reference" / "stan"

# case -> formula, family, the priors recorded with it
GENERALIZED: dict[str, tuple[str, str, dict[str, str]]] = {
    "esoph_poisson": (
        "ncases ~ ncontrols + (ncontrols | agegp)",
        "poisson",
        {
            "Intercept": "Normal(0, 2.5)",
            "ncontrols": "Normal(0, 0.5)",
            "sd(agegp, Intercept)": "Exponential(1)",
            "sd(agegp, ncontrols)": "HalfNormal(0.1)",
            "corr(agegp)": "LKJ(2)",
        },
    ),
    "cbpp": (
        "cbind(incidence, size - incidence) ~ period + (1 | herd)",
        "binomial",
        {"Intercept": "Normal(0, 2.5)", "fixed": "Normal(0, 2.5)", "sd": "HalfNormal(1)"},
    ),
    "gammasim": (
        "y ~ x + (1 | g)",
        "gamma",
        {"Intercept": "Normal(0, 2)", "fixed": "Normal(0, 2)", "sd": "Exponential(1)", "shape": "Gamma(2, 0.5)"},
    ),
}


def name_of(name: str) -> str:
    """Stan's name of one of our parameters."""
    inside = name[name.find("(") + 1 : -1].replace(", ", "__")
    for ours, theirs in (("sd(", "sd_"), ("corr(", "cor_")):
        if name.startswith(ours):
            return theirs + inside
    return name if name == "shape" else f"b_{name}"
