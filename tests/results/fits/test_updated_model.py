"""Changed models are those that `Model` makes of the changed words, on the same data."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.inference.estimation.methods import Laplace, Ml, Reml


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 60
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "f": pd.Categorical(np.array(["low", "mid", "high"])[np.arange(n) % 3], ["low", "mid", "high"]),
            "g": [f"g{i % 6}" for i in range(n)],
            "w": rng.uniform(1.0, 2.0, n),
            "count": rng.poisson(3.0, n),
        }
    )
    y = 10.0 + frame["x"] + 2.0 * rng.normal(size=6)[np.arange(n) % 6] + rng.normal(size=n)
    return frame.assign(y=y.where(np.arange(n) != 7))  # one is missing


BASE: dict[str, Any] = {"weights": "w", "contrasts": {"f": "sum"}}
FORMULA = "y ~ x + f + (1 | g)"


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> bmx.Estimate:
    return bmx.Model(FORMULA, data, **BASE).estimate()


# change, changed arguments, and the model as one would write it
UPDATES: dict[str, tuple[Any, dict[str, Any], str | list[str], dict[str, Any]]] = {
    "a new column": ("~ . + z", {}, "y ~ x + f + z + (1 | g)", BASE),
    "a term less": (".~. - x", {}, "y ~ f + (1 | g)", BASE),
    "its contrasts too": ("~ . - f", {}, "y ~ x + (1 | g)", {"weights": "w"}),
    "another response": ("log(.) ~ .", {}, "log(y) ~ x + f + (1 | g)", BASE),
    "random effects": ("~ . - (1 | g) + (x | g)", {}, "y ~ x + f + (x | g)", BASE),
    "another parameter": ("sigma ~ . + x", {}, [FORMULA, "sigma ~ x"], BASE),
    "weights": (None, {"weights": None}, FORMULA, {"contrasts": {"f": "sum"}}),
    "contrasts": (None, {"contrasts": None}, FORMULA, {"weights": "w"}),
    "offset": ("~ . - x", {"offset": "x"}, "y ~ f + (1 | g)", {**BASE, "offset": "x"}),
    "family": ("count ~ .", {"family": "poisson"}, "count ~ x + f + (1 | g)", {**BASE, "family": "poisson"}),
    "link": (None, {"link": "log"}, FORMULA, {**BASE, "link": "log"}),
    "family and link": (None, {"family": "gamma", "link": "log"}, FORMULA, {**BASE, "family": "gamma", "link": "log"}),
}
SLOW = ("family and link", "another parameter")


@pytest.mark.filterwarnings("ignore::bayesmix.DroppedWarning", "ignore::bayesmix.ConvergenceWarning")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in UPDATES]
)
def test_updates_are_the_models_one_would_write(name: str, fit: bmx.Estimate, data: pd.DataFrame) -> None:
    change, arguments, formula, words = UPDATES[name]
    found = fit.update(change, **arguments)
    wanted = bmx.Model(formula, data, **words).estimate(found.point.method)
    assert type(found) is bmx.Estimate
    assert found.names == wanted.names
    assert found.criterion == pytest.approx(wanted.criterion, abs=1e-6)
    np.testing.assert_array_equal(found.design.rows, wanted.design.rows)


def test_the_method_stays_where_it_fits(data: pd.DataFrame) -> None:
    complete = data.dropna()
    by_ml = bmx.Model("y ~ x + (1 | g)", complete).estimate("ml")
    assert isinstance(by_ml.update("~ . + z").point.method, Ml)
    poisson = by_ml.update("count ~ .", family="poisson")
    assert isinstance(poisson.point.method, Laplace)
    assert isinstance(poisson.update("y ~ .", family="gaussian").point.method, Reml)


def test_other_data(fit: bmx.Estimate, data: pd.DataFrame) -> None:
    some = data.dropna().head(40)
    found = fit.update(data=some)
    assert found.criterion == pytest.approx(bmx.Model(FORMULA, some, **BASE).estimate().criterion, abs=1e-8)
    assert found.update("~ . - x").design.n == 40


@pytest.mark.filterwarnings("ignore::bayesmix.DroppedWarning")
def test_data_that_changed_are_noticed(data: pd.DataFrame) -> None:
    """The fit has its own columns; those it does not have are taken only from data that are still the same."""
    own = data.copy()
    fit = bmx.Model(FORMULA, own).estimate()
    before = fit.update("~ . - x").criterion
    own["f"] = own["f"].to_numpy()[::-1]
    assert fit.update("~ . - x").criterion == before
    with pytest.raises(bmx.DataError, match="changed since the fit was made: column `f`"):
        fit.update("~ . + z")
    assert fit.update("~ . + z", data=data).design.fixed[-1] == "z"


@pytest.mark.filterwarnings("ignore::bayesmix.DroppedWarning")
def test_data_that_are_not_there_are_asked_for(fit: bmx.Estimate, data: pd.DataFrame, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.zarr")
    for read in (bmx.load(tmp_path / "fit.zarr"), pickle.loads(pickle.dumps(fit))):
        assert read.update("~ . + I(x^2)").criterion == pytest.approx(fit.update("~ . + I(x^2)").criterion, abs=1e-8)
        with pytest.raises(bmx.DataError, match=r"Column `z` is not kept with this fit.*Give the data: fit.update"):
            read.update("~ . + z")
        assert read.update("~ . + z", data=data).design.fixed[-1] == "z"
    with pytest.raises(bmx.DataError, match="Column `zz` of the formula is not in the data"):
        fit.update("~ . + zz")


@pytest.mark.filterwarnings("ignore::bayesmix.DroppedWarning")
def test_a_term_that_was_removed_comes_back_with_its_values(data: pd.DataFrame, tmp_path: Path) -> None:
    """Of columns that stand behind a minus only the missing values are kept."""
    fit = bmx.Model("y ~ x + z - z + (1 | g)", data).estimate()
    back = fit.update("~ . + z")
    assert back.criterion == pytest.approx(bmx.Model("y ~ x + z + (1 | g)", data).estimate().criterion, abs=1e-8)
    fit.save(tmp_path / "fit.zarr")
    with pytest.raises(bmx.DataError, match="Column `z` is not kept"):
        bmx.load(tmp_path / "fit.zarr").update("~ . + z")


def test_posteriors_are_sampled_again(data: pd.DataFrame) -> None:
    complete = data.dropna()
    post = bmx.Model("y ~ x + (1 | g)", complete, priors={"sigma": "HalfNormal(3)"}).sample(
        draws=50, chains=2, seed=1, progress=False
    )
    found = post.update("~ . + z", seed=3, progress=False)
    wanted = bmx.Model("y ~ x + z + (1 | g)", complete, priors={"sigma": "HalfNormal(3)"}).sample(
        draws=50, chains=2, seed=3, progress=False
    )
    np.testing.assert_array_equal(found.values.beta, wanted.values.beta)
    flat = post.update(priors="flat", seed=3, progress=False)
    assert flat.spec.preset == "flat"
    assert flat.spec.priors == {}


def test_priors_of_what_is_gone_go_with_it(data: pd.DataFrame) -> None:
    """Others stay, misspelled ones too, which sampling refuses by name."""
    from bayesmix.results.fits.updated_model import updated_model

    priors = {"sd(g)": "HalfNormal(2)", "x": "Normal(0, 1)", "sigmma": "HalfNormal(1)"}
    fit = bmx.Model("y ~ x + (1 | g)", data.dropna(), priors=priors).estimate()
    assert set(updated_model(fit, "~ . - (1 | g)").spec.priors) == {"x", "sigmma"}
    assert set(updated_model(fit, "~ . + z").spec.priors) == set(priors)


def test_formulas_with_a_dot_keep_their_columns(data: pd.DataFrame) -> None:
    complete = data.dropna()[["y", "x", "z", "f"]]
    found = bmx.Model("y ~ .", complete, contrasts={"f": "sum"}).estimate().update("~ . - z")
    assert found.design.fixed == ("Intercept", "x", "f1", "f2")


def test_designs_made_by_hand_have_nothing_to_change(fit: bmx.Estimate) -> None:
    from bayesmix.fit import Estimate
    from bayesmix.results.fits.fitted_model import Fitted

    by_hand = Estimate(Fitted(fit.spec, fit.design.without_source(), ""), fit.point)
    with pytest.raises(bmx.SpecError, match="made by hand"):
        by_hand.update("~ . + z")
