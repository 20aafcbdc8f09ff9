"""Refits to new responses, in every form in which responses come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx


def sleep(**changes: Any) -> bmx.Estimate:
    data = bmx.load_dataset("sleepstudy").assign(**changes)
    return bmx.Model("Reaction ~ Days + (1 | Subject)", data).estimate()


@pytest.fixture(scope="module")
def fit() -> bmx.Estimate:
    return sleep()


@pytest.fixture(scope="module")
def cbpp() -> bmx.Estimate:
    data = bmx.load_dataset("cbpp")
    return bmx.Model("cbind(incidence, size - incidence) ~ period + (1 | herd)", data, "binomial").estimate()


def test_a_refit_is_the_fit_to_the_new_data(fit: bmx.Estimate) -> None:
    new = fit.simulate(1, seed=2)["sim_1"]
    wanted = sleep(Reaction=new)
    for given in (new, new.to_numpy(), list(new)):
        found = fit.refit(given)
        assert found.criterion == pytest.approx(wanted.criterion, abs=1e-8)
    assert fit.refit(fit.design.y).criterion == fit.criterion


def test_rows_that_were_left_out_stay_out() -> None:
    data = bmx.load_dataset("sleepstudy")
    gone = data["Reaction"].where(np.arange(180) % 9 != 0)
    with pytest.warns(bmx.DroppedWarning):
        fit = bmx.Model("Reaction ~ Days + (1 | Subject)", data.assign(Reaction=gone)).estimate()
    new = 2.0 * data["Reaction"]
    by_rows = fit.refit(new)
    assert by_rows.criterion == fit.refit(new.to_numpy()[fit.design.rows]).criterion
    np.testing.assert_allclose(by_rows.values.beta, 2.0 * fit.values.beta, rtol=1e-6)


def test_successes_are_counts_shares_or_pairs(cbpp: bmx.Estimate) -> None:
    new = cbpp.simulate(1, seed=4)["sim_1"].to_numpy()
    trials = cbpp.design.trials
    expected = cbpp.refit(new).criterion
    assert cbpp.refit(new / trials).criterion == expected
    assert cbpp.refit(np.column_stack([new, trials - new])).criterion == expected
    data = bmx.load_dataset("cbpp").assign(incidence=new)
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    assert bmx.Model(formula, data, "binomial").estimate().criterion == pytest.approx(expected, abs=1e-6)


def test_ratings_are_labels_or_codes() -> None:
    fit = bmx.Model("rating ~ temp + contact", bmx.load_dataset("wine"), "cumulative").estimate()
    new = fit.simulate(1, seed=1)["sim_1"]
    by_label = fit.refit(new)
    assert by_label.criterion == fit.refit(new.cat.codes).criterion
    with pytest.raises(bmx.DataError, match="category `9`; the model knows 1, 2, 3, 4, 5"):
        fit.refit(["9"] * fit.design.n)


def test_responses_of_several_go_by_their_names() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "x"])
    fit = bmx.Model(["a ~ x", "log(exp(b)) ~ x"], data).estimate()
    new = pd.DataFrame({"a": data["b"], "log(exp(b))": data["a"]})
    found = fit.refit(new)
    assert found.criterion == pytest.approx(fit.criterion, abs=1e-6)
    assert fit.refit({"a": data["b"], "logexpb": data["a"]}).criterion == found.criterion
    with pytest.raises(bmx.DataError, match="give new ones by name"):
        fit.refit(data["a"])


def test_a_refit_is_saved_and_changed_with_its_responses(fit: bmx.Estimate, tmp_path: Path) -> None:
    """Also where no column can be made of them: those of ``log(y)``."""
    by_log = fit.update("log(.) ~ .")
    found = by_log.refit(by_log.simulate(1, seed=3)["sim_1"])
    found.save(tmp_path / "fit.zarr")
    read = bmx.load(tmp_path / "fit.zarr")
    np.testing.assert_array_equal(read.design.y, found.design.y)
    assert read.update("~ . + I(Days^2)").criterion == pytest.approx(
        found.update("~ . + I(Days^2)").criterion, abs=1e-8
    )
    np.testing.assert_array_equal(read.update("~ . - Days").design.y, found.design.y)
    with pytest.raises(bmx.SpecError, match="replaced by `refit`: give data"):
        read.update("Reaction ~ .")


def test_posteriors_are_sampled_again(fit: bmx.Estimate) -> None:
    data = bmx.load_dataset("sleepstudy")
    post = bmx.Model("Reaction ~ Days + (1 | Subject)", data).sample(draws=20, chains=2, seed=1, progress=False)
    new = fit.simulate(1, seed=2)["sim_1"]
    wanted = bmx.Model("Reaction ~ Days + (1 | Subject)", data.assign(Reaction=new)).sample(
        draws=20, chains=2, seed=5, progress=False
    )
    np.testing.assert_array_equal(post.refit(new, seed=5, progress=False).values.beta, wanted.values.beta)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.ones(3), r"has 180 rows; the new response has 3 value\(s\)"),
        (np.ones((180, 3)), r"has 180 x 3 value\(s\)"),
        (1.0, r"has one value\(s\)"),
        (np.full(180, np.nan), "missing in rows 0, 1"),
        (["a"] * 180, "the value `a`: numbers are needed"),
        (np.ones((180, 2)), "two columns, successes and failures"),
    ],
)
def test_what_is_no_response_is_refused(fit: bmx.Estimate, y: Any, message: str) -> None:
    with pytest.raises(bmx.DataError, match=message):
        fit.refit(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full(56, 1000.0), "row 0 has 1000 of 14"),
        (np.full((56, 2), 1.0), "a refit keeps the trials"),
        (np.full(56, 1.5), "whole numbers, or shares"),
    ],
)
def test_what_cannot_be_successes_is_refused(cbpp: bmx.Estimate, y: Any, message: str) -> None:
    with pytest.raises(bmx.DataError, match=message):
        cbpp.refit(y)
