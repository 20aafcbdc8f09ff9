"""Models with a residual structure: data, formulas and nlme's figures of `tests/reference/residuals`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayesmix as bmx

FOLDER = Path(__file__).parent / "reference" / "residuals"
REFERENCE = json.loads((FOLDER / "residuals.json").read_text())
VISITS = ["w1", "w2", "w4", "w8"]

ORTHODONT, TRIAL = "distance ~ Sex * age", "y ~ base + arm * visit"
BY_VISIT = "sigma ~ 0 + visit"
FORMULAS: dict[str, Any] = {
    "orthodont_unstr": ["distance ~ Sex * visit + unstr(visit, Subject)", BY_VISIT],
    "orthodont_ar": f"{ORTHODONT} + ar(step, Subject)",
    "orthodont_cosy": f"{ORTHODONT} + cosy(gr = Subject)",
    "orthodont_arma": f"{ORTHODONT} + arma(step, Subject)",
    "orthodont_ma": f"{ORTHODONT} + ma(step, Subject)",
    "orthodont_ar_strata": [f"{ORTHODONT} + ar(step, Subject)", "sigma ~ Sex"],
    "trial_unstr": [f"{TRIAL} + unstr(visit, patient)", BY_VISIT],
    "trial_unstr_one": f"{TRIAL} + unstr(visit, patient)",
    "trial_ar": f"{TRIAL} + ar(step, patient)",
    "trial_ar2": f"{TRIAL} + ar(step, patient, p = 2)",
    "trial_cosy_strata": [f"{TRIAL} + cosy(gr = patient)", "sigma ~ 0 + arm"],
    "trial_site_ar": f"{TRIAL} + (1 | site) + ar(step, patient)",
    "trial_patient_ar": f"{TRIAL} + (1 | patient) + ar(step, patient)",
    "trial_slopes_ar": f"{TRIAL} + (1 + step | patient) + ar(step, patient)",
    "trial_smooth_ar": "y ~ s(base, k = 5) + arm * visit + ar(step, patient)",
    "trial_site_unstr": [f"{TRIAL} + (1 | site) + unstr(visit, patient)", BY_VISIT],
}


@cache
def data(name: str) -> pd.DataFrame:
    """``"orthodont"`` or ``"trial"``, a simulated trial with drop-out."""
    table = pd.read_csv(FOLDER / f"{name}.csv")
    if name == "orthodont":
        table["visit"] = pd.Categorical(table["age"].astype(int).astype(str), ["8", "10", "12", "14"])
        table["step"] = ((table["age"] - 6) / 2).astype(int)
        table["Sex"] = pd.Categorical(table["Sex"], ["Male", "Female"])
    else:
        table["visit"] = pd.Categorical(table["visit"], VISITS)
        table["arm"] = pd.Categorical(table["arm"], ["placebo", "active"])
    return table


def model(case: str, **options: Any) -> bmx.Model:
    """The model of a case."""
    return bmx.Model(FORMULAS[case.removesuffix("_ml")], data(case.split("_", maxsplit=1)[0]), **options)


@cache
def fitted(case: str) -> Any:
    """Its estimate, by ML where its name ends so."""
    return model(case).estimate("ml" if case.endswith("_ml") else "reml")


def dense(fit: Any, *, of_effects: bool = True) -> np.ndarray:
    """Covariance matrix of all rows at an estimate, entry by entry from what is reported; or of the residuals alone."""
    design, values = fit.design, fit.parameters()["estimate"]
    sd = fit.fitted("sigma").to_numpy() / np.sqrt(design.weights)
    block, place = design.data.blocks.block, design.data.blocks.place
    C = whole(fit, values)[place[:, None], place[None, :]]
    V = (block[:, None] == block[None, :]) * C * sd[:, None] * sd[None, :]
    for term, sds in zip(design.terms * of_effects, fit.values.sd * of_effects, strict=True):
        codes = term.codes[: design.n]
        V += sds[0] ** 2 * (codes[:, None] == codes[None, :])
    return V


def whole(fit: Any, values: Any) -> np.ndarray:
    """Correlation matrix of a whole block."""
    size = fit.design.layout.structure.size
    return np.array([[correlation(fit, values, i, j) for j in range(size)] for i in range(size)])


def correlation(fit: Any, values: Any, i: int, j: int) -> float:
    """Of two residuals of a block, by textbook formulas."""
    structure = fit.design.layout.structure
    if i == j:
        return 1.0
    match structure.term.function, structure.term.p:
        case "unstr", _:
            a, b = sorted((i, j))
            return float(values[f"rescor({structure.visits[a]}, {structure.visits[b]})"])
        case "cosy", _:
            return float(values["cosy"])
        case "ar", 1:
            return float(values["ar[1]"] ** abs(i - j))
        case _:
            return float(autocorrelation(values, abs(i - j)))


def autocorrelation(values: Any, lag: int, terms: int = 1500) -> float:
    """Of a series, from its infinite moving average."""
    from scipy.signal import lfilter

    ar = [values[name] for name in values.index if str(name).startswith("ar[")]
    ma = [values[name] for name in values.index if str(name).startswith("ma[")]
    psi = lfilter([1.0, *ma], [1.0, *(-a for a in ar)], np.eye(1, terms)[0])
    return float(psi[: terms - lag] @ psi[lag:] / (psi @ psi))
