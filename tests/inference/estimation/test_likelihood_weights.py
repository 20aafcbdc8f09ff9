"""Weights that multiply log densities, brms's ``y | weights(w)``.

Against glmmTMB 1.1.5, whose weights do that (tests/reference/breadth/weights.R), and against data whose rows are
repeated as often as whole weights say: the same model in every respect.
"""

from __future__ import annotations

import json
import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest
from breadth import FOLDER

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.likelihood import likelihood_of
from bayesmix.language.families.family import Family
from bayesmix.language.families.link import LINKS
from bayesmix.language.families.registry import FAMILIES

REFERENCES = json.loads((FOLDER / "weights.json").read_text(encoding="utf-8"))
CASES = {  # formula and method by name in weights.json
    "ml": ("Reaction | weights(w) ~ Days + (Days | Subject)", "ml"),
    "reml": ("Reaction | weights(w) ~ Days + (Days | Subject)", "reml"),
    "sigma": (["Reaction | weights(w) ~ Days + (1 | Subject)", "sigma ~ Days"], "laplace"),
}
SLOPES = "(x | g)"
DRAWN = {"draws": 200, "chains": 2, "seed": 1}
PRIORS = dict.fromkeys(("sd(g, Intercept)", "sd(g, x)", "sigma"), "HalfNormal(2)")
PRIORS |= {"Intercept": "Normal(0, 9)", "x": "Normal(0, 9)"}


@cache
def sleepstudy() -> pd.DataFrame:
    data = bmx.load_dataset("sleepstudy")
    return data.assign(Subject=data["Subject"].astype(str), w=0.5 + np.arange(len(data)) % 3)


@cache
def counted() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows with whole weights, and the same with each row repeated."""
    rng = np.random.default_rng(1)
    n, J = 80, 10
    g, x, w = np.arange(n) % J, rng.normal(size=n), rng.integers(1, 4, n)
    y = 1.0 + 0.5 * x + (rng.normal(size=J)[g] + rng.normal(size=J)[g] * x) + rng.normal(size=n)
    data = pd.DataFrame({"y": y, "x": x, "g": [f"g{j}" for j in g], "w": w.astype(float)})
    return data, data.loc[data.index.repeat(w)].reset_index(drop=True)


def models(bars: str = SLOPES, *more: str, **options) -> tuple[bmx.Model, bmx.Model]:
    data, repeated = counted()
    weighted = bmx.Model([f"y | weights(w) ~ x + {bars}", *more], data, **options)
    return weighted, bmx.Model([f"y ~ x + {bars}", *more], repeated, **options)


@pytest.mark.parametrize("name", CASES)
def test_estimates_are_those_of_glmmtmb(name):
    formula, method = CASES[name]
    fit, expected = bmx.Model(formula, sleepstudy()).estimate(method), REFERENCES[name]
    assert fit.criterion == pytest.approx(expected["criterion"], rel=1e-9)
    table = fit.parameters()
    for own, value in expected["estimate"].items():
        row = table.loc[own.strip("()")]
        assert abs(row["estimate"] - value) <= 1e-4 * row["std_error"], own
        assert row["std_error"] == pytest.approx(expected["std_error"][own], rel=2e-3)  # theirs have beta and theta
    for effect, value in expected["sd"].items():
        assert table.loc[f"sd(Subject, {effect.strip('()')})", "estimate"] == pytest.approx(value, rel=1e-4)
    names = ["sigma"] if len(expected["log_sigma"]) == 1 else ["sigma_Intercept", "sigma_Days"]
    found = table.loc[names, "estimate"].to_numpy()
    found = np.log(found) if len(names) == 1 else found
    np.testing.assert_allclose(found, list(expected["log_sigma"].values()), rtol=1e-5)


@pytest.mark.parametrize(
    ("bars", "more", "method"), [(SLOPES, (), "reml"), (SLOPES, (), "ml"), ("(1 | g)", ("sigma ~ x",), "laplace")]
)
def test_whole_weights_count_rows(bars, more, method):
    weighted, repeated = (model.estimate(method) for model in models(bars, *more))
    assert weighted.criterion == pytest.approx(repeated.criterion, abs=1e-8)
    columns = ["estimate", "std_error"]
    ours, theirs = (fit.parameters()[columns].to_numpy(float) for fit in (weighted, repeated))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_inference_of_whole_weights_is_that_of_repeated_rows(df):
    tables = [bmx.anova(model.estimate(), df=df).to_numpy(float) for model in models()]
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-4)


def test_new_observations_have_the_residual_variance_itself():
    data, _ = counted()
    tables = [model.estimate().predict(data[:3], kind="response").to_numpy(float) for model in models()]
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-4)
    drawn = models()[0].estimate().simulate(2_000, seed=1)
    heaviest = np.asarray(data["w"] == 3.0)
    spread = np.asarray(drawn).reshape(2_000, -1).std(axis=0)
    assert spread[heaviest].mean() == pytest.approx(spread[~heaviest].mean(), rel=0.1)


def test_posterior_of_whole_weights_is_that_of_repeated_rows():
    posteriors = [model.sample(**DRAWN) for model in models(priors=PRIORS)]
    ours, theirs = (fit.parameters()["mean"].to_numpy(float) for fit in posteriors)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)  # proposals begin at estimates that differ by rounding


@pytest.mark.slow
def test_pickled_and_saved(tmp_path):
    fit = models()[0].estimate()
    fit.save(tmp_path / "fit.zarr")
    for other in (pickle.loads(pickle.dumps(fit)), bmx.load(tmp_path / "fit.zarr")):
        again = other.refit(counted()[0]["y"].to_numpy())
        assert again.criterion == pytest.approx(fit.criterion, abs=1e-8)


def test_one_density_of_several_rows_or_responses_has_no_weights_of_one():
    data, _ = counted()
    with pytest.raises(SpecError, match=r"`weights\(w\)` is of single rows"):
        bmx.Model("y | weights(w) ~ x + ar(x, g)", data)
    with pytest.raises(SpecError, match=r"`weights\(w\)` is of `y` alone"):
        bmx.Model(["y | weights(w) ~ x", "x ~ 1"], data, rescor=True)


# ---- every family ----------------------------------------------------------------------------------------------------


def drawn(family: Family, n: int) -> pd.DataFrame:
    """Responses of a family, four trials each."""
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"w": rng.integers(1, 4, n), "x": rng.normal(size=n)})
    if family.has_category_counts:
        counts = pd.DataFrame(rng.multinomial(4, [0.2, 0.3, 0.5], n), columns=["a", "b", "c"])
        return data.assign(**counts, n=4)
    if family.levels:
        return data.assign(y=rng.choice(["a", "b", "c"], n))
    own = [np.full(n, LINKS[one.links[0]].mean(np.array(0.2))) for one in family.parameters]
    trials = np.full(n, 4.0) if family.values.has_trials and family.name != "bernoulli" else np.ones(n)
    return data.assign(y=family.sample(rng, trials, *own), n=trials)


def log_density(model: bmx.Model) -> float:
    design, spec = model.design, model.spec
    eta = np.repeat(np.linspace(0.2, 0.4, design.R) if design.R > 1 else [0.2], design.n)
    return float(likelihood_of(design, spec).value(eta, np.asarray(1.3)).sum())


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.name)
def test_weights_of_every_family_count_rows(family):
    data = drawn(family, 30)
    has_trials = family.values.has_trials and family.name != "bernoulli"
    response = "cbind(a, b, c)" if family.has_category_counts else "y"
    left = f"{response} | trials(n) + weights(w)" if has_trials else f"{response} | weights(w)"
    weighted = bmx.Model(f"{left} ~ x", data, family=family.name)
    repeated = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    left = f"{response} | trials(n)" if has_trials else response
    plain = bmx.Model(f"{left} ~ x", repeated, family=family.name)
    assert log_density(weighted) == pytest.approx(log_density(plain), rel=1e-10)
