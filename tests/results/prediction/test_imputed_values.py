"""Missing values given what was observed, predictions where a predictor is missing, and draws of all together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from imputation import MODELS, estimate, frame, joint, values

import bayesmix as bmx
from bayesmix.errors import DataError, SpecError

NAMES = ["groups", pytest.param("chain", marks=pytest.mark.slow), pytest.param("interaction", marks=pytest.mark.slow)]


def parameters(name: str) -> dict[str, float]:
    return dict(estimate(name).parameters()["estimate"])


@pytest.mark.parametrize("name", NAMES)
def test_conditional_means_are_those_of_a_joint_normal(name):
    """Given everything: rows with missing values alone have effects of groups at their modes, which are means, too."""
    means, variances = joint(name, parameters(name)).conditional(values(name))
    for i, response in enumerate(MODELS[name][1]):
        found, gone = estimate(name).imputed(response), np.isnan(values(name)[i])
        assert list(found.index) == list(np.flatnonzero(gone))
        assert found["estimate"].to_numpy() == pytest.approx(means[i][gone], abs=1e-6)
        assert np.all(found["std_error"] ** 2 > 0.98 * variances[i][gone])  # parameters are uncertain beside
        assert np.all(found["lower"] < found["estimate"])
        assert np.all(found["estimate"] < found["upper"])


def test_draws_have_the_conditional_moments_and_belong_together():
    fit = estimate("groups")
    drawn = fit.imputed("z", n=4000, seed=3)
    assert list(drawn.columns[:2]) == ["imp_1", "imp_2"]
    summary = fit.imputed("z")
    assert drawn.mean(axis=1).to_numpy() == pytest.approx(summary["estimate"].to_numpy(), abs=0.08)
    both = frame()[["y", "z"]].isna().all(axis=1)
    y = fit.imputed("y", n=4000, seed=3).loc[both[both].index]
    together = [np.corrcoef(y.loc[row], drawn.loc[row])[0, 1] for row in y.index]
    b, sigmas = parameters("groups")["y_mi(z)"], [parameters("groups")[f"sigma_{one}"] for one in "yz"]
    expected = b * sigmas[1] / np.hypot(sigmas[0], b * sigmas[1])  # of a row without either
    assert together == pytest.approx([expected] * len(together), abs=0.05)


def test_models_without_missing_values_have_none():
    fit = bmx.Model("y ~ x", frame().dropna()).estimate()
    with pytest.raises(SpecError, match=r"imputes no missing values.*mi\(\)"):
        fit.imputed()
    with pytest.raises(SpecError, match="no missing values in the model"):
        bmx.Model(["y ~ mi(z)", "z | mi() ~ w"], frame().dropna(subset=["y"])).estimate().imputed("y")
    with pytest.raises(SpecError, match="at least one set"):
        estimate("groups").imputed(n=0)


# ---- predictions -----------------------------------------------------------------------------------------------------


def linear(prefix: str, columns: dict[str, float]) -> float:
    own = parameters("groups")
    return own[f"{prefix}_Intercept"] + sum(own[f"{prefix}_{name}"] * value for name, value in columns.items())


def test_a_missing_predictor_is_what_is_to_be_expected_of_it():
    new = pd.DataFrame({"x": [1.0, 1.0], "w": [2.0, 2.0], "z": [3.0, np.nan]})
    fit, own = estimate("groups"), parameters("groups")
    y, z, b = linear("y", {"x": 1.0}), linear("z", {"w": 2.0}), own["y_mi(z)"]
    found = fit.predict(new, groups="zero")["estimate"].to_numpy()
    assert found == pytest.approx([y + 3.0 * b, y + z * b])
    assert fit.predict(new.drop(columns="z"), groups="zero")["estimate"].to_numpy() == pytest.approx([y + z * b] * 2)
    assert fit.predict(new, groups="zero", response="z")["estimate"].to_numpy() == pytest.approx([z, z])
    drawn = fit.simulate(4000, new.assign(g="new"), groups="zero", seed=1)
    sds = [own["sigma_y"], np.hypot(own["sigma_y"], b * own["sigma_z"])]
    assert drawn.std(axis=1).to_numpy() == pytest.approx(sds, rel=0.05)


def test_slopes_are_those_where_the_predictor_is_there():
    own = estimate("groups").slopes("z")
    assert own["estimate"].iloc[0] == pytest.approx(parameters("groups")["y_mi(z)"])
    assert own["std_error"].iloc[0] == pytest.approx(estimate("groups").parameters()["std_error"]["y_mi(z)"], rel=1e-4)


def test_residuals_are_standard_normal_quantiles_of_the_observed():
    fit, data = estimate("groups"), frame()
    found = fit.residuals("quantile", response="y").to_numpy()
    assert np.array_equal(np.isnan(found), data["y"].isna().to_numpy())
    own, effects = parameters("groups"), fit.ranef()["g"].loc[data["g"]].to_numpy().T
    z = own["z_Intercept"] + own["z_w"] * data["w"] + effects[list(fit.ranef()["g"].columns).index("z_Intercept")]
    mean = own["y_Intercept"] + own["y_x"] * data["x"] + own["y_mi(z)"] * data["z"].fillna(z)
    mean += effects[list(fit.ranef()["g"].columns).index("y_Intercept")]
    spread = np.where(data["z"].isna(), np.hypot(own["sigma_y"], own["y_mi(z)"] * own["sigma_z"]), own["sigma_y"])
    expected = ((data["y"] - mean) / spread).to_numpy()
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert fit.fitted().to_numpy() == pytest.approx(mean.to_numpy(), abs=1e-6)


def test_linear_predictors_of_such_means_are_refused():
    with pytest.raises(SpecError, match="slopes of mi"):
        estimate("groups").predict(kind="linear")
    assert estimate("groups").predict(parameter="mu")["estimate"].iloc[0] == pytest.approx(
        estimate("groups").predict()["estimate"].iloc[0]
    )


# ---- new responses ---------------------------------------------------------------------------------------------------


def test_simulated_responses_of_one_seed_depend_on_each_other_as_the_model_says():
    fit, own = estimate("fixed"), parameters("fixed")
    y, z = (fit.simulate(1500, seed=5, response=one).to_numpy() for one in "yz")
    b = own["y_mi(z)"]
    covariance = np.mean((y - y.mean(axis=1)[:, None]) * (z - z.mean(axis=1)[:, None]))
    assert covariance == pytest.approx(b * own["sigma_z"] ** 2, rel=0.05)
    assert np.isfinite(y).all()
    assert np.isfinite(z).all()


@pytest.mark.slow
def test_refits_keep_what_is_missing_and_move_what_is_a_predictor():
    fit = estimate("groups")
    new = {one: fit.simulate(1, seed=7, response=one)["sim_1"].to_numpy() for one in "yz"}
    again = fit.refit(new)
    data = frame().assign(**{one: np.where(frame()[one].isna(), np.nan, new[one]) for one in "yz"})
    other = bmx.Model(MODELS["groups"][0], data).estimate()
    assert again.criterion == pytest.approx(other.criterion, rel=1e-9)
    assert again.fitted().to_numpy() == pytest.approx(other.fitted().to_numpy(), abs=1e-4)
    with pytest.raises(DataError, match="New responses are missing in"):
        fit.refit({"y": new["y"], "z": np.full(len(frame()), np.nan)})
