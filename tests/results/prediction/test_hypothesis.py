"""Hypotheses: tests of estimates by normal and t distributions, shares of draws, arithmetic by Python's own."""

from __future__ import annotations

import numpy as np
import pytest
from emmeans import FIGURES, fit_of
from scipy import stats
from scipy.stats import norm, t

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.results.fits.linear_predictor import flatten

# ---- estimates -----------------------------------------------------------------------------------------------------


def satterthwaite(fit, name):
    return float(fit.satterthwaite().loc[name, "df"])


def test_linear_models_have_t_tests(fitted):
    """Of combinations too: their degrees of freedom are Satterthwaite's of the combination."""
    fit = fitted("sleepstudy")
    beta, V = fit.values.beta, fit.point.beta_cov
    table = fit.hypothesis("Days > 8", "Days < 8", "Days = 8", "exp(Days / 10) = 3", "2 * Intercept - Days = 0")
    assert list(table.columns) == ["estimate", "std_error", "df", "lower", "upper", "t", "p_value"]
    statistic, df = (beta[1] - 8.0) / np.sqrt(V[1, 1]), satterthwaite(fit, "Days")
    np.testing.assert_allclose(table["t"].iloc[:3], statistic, rtol=1e-7)
    expected = [t.sf(statistic, df), t.cdf(statistic, df), 2.0 * t.sf(abs(statistic), df)]
    np.testing.assert_allclose(table["p_value"].iloc[:3], expected, rtol=1e-6)
    np.testing.assert_allclose(table["std_error"].iloc[3], np.exp(beta[1] / 10) / 10 * np.sqrt(V[1, 1]), rtol=1e-6)
    a = np.array([2.0, -1.0])
    row = table.iloc[4]
    np.testing.assert_allclose(row["estimate"], a @ beta, rtol=1e-12)
    np.testing.assert_allclose(row["std_error"], np.sqrt(a @ V @ a), rtol=1e-7)
    np.testing.assert_allclose(row["upper"] - row["estimate"], t.ppf(0.975, row["df"]) * row["std_error"], rtol=1e-7)
    assert row["p_value"] == pytest.approx(2.0 * t.sf(abs(row["t"]), row["df"]), rel=1e-9)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
@pytest.mark.parametrize("text", ["Days / Intercept = 0", "exp(Days / Intercept) = 1", "Days^2 / Intercept^2 = 0"])
def test_ratios_have_no_unit(fitted, text, unit):
    """In units of 1e-9 differences over 1e-6 linearised them: p of 0.34 in place of 7e-6."""
    data = bmx.load_dataset("sleepstudy")
    fit = bmx.Model("Reaction ~ Days + (Days | Subject)", data.assign(Reaction=unit * data["Reaction"])).estimate()
    np.testing.assert_allclose(fit.hypothesis(text), fitted("sleepstudy").hypothesis(text), rtol=1e-5)


@pytest.mark.parametrize(("sign", "p"), [(">", norm.sf), (">=", norm.sf), ("<", norm.cdf), ("<=", norm.cdf)])
def test_one_sided_z_tests(fitted, sign, p):
    fit = fitted("cbpp")
    row = fit.hypothesis(f"period2 {sign} -0.5").iloc[0]
    z = (fit.values.beta[1] + 0.5) / np.sqrt(fit.point.beta_cov[1, 1])
    np.testing.assert_allclose([row["z"], row["p_value"]], [z, p(z)], rtol=1e-6)
    assert row["df"] == np.inf


@pytest.mark.parametrize("sign", ["=", "=="])
def test_two_sided_z_tests(fitted, sign):
    fit = fitted("cbpp")
    z = (fit.values.beta[1] + 0.5) / np.sqrt(fit.point.beta_cov[1, 1])
    found = fit.hypothesis(f"period2 {sign} -0.5")["p_value"].iloc[0]
    np.testing.assert_allclose(found, 2.0 * norm.sf(abs(z)), rtol=1e-6)
    linear = fitted("sleepstudy").hypothesis("Days = 8", df="asymptotic").iloc[0]
    np.testing.assert_allclose(linear["p_value"], 2.0 * norm.sf(abs(linear["z"])), rtol=1e-12)


def test_intervals_have_the_width_that_was_asked_for(fitted):
    fit = fitted("cbpp")
    row = fit.hypothesis("period2 = 0", interval=0.8).iloc[0]
    half = norm.ppf(0.9) * row["std_error"]
    np.testing.assert_allclose([row["lower"], row["upper"]], [row["estimate"] - half, row["estimate"] + half])


@pytest.mark.parametrize("text", ["sd(Subject, Days) > 0", "sigma = 20", "corr(Subject, Intercept, Days) + Days < 1"])
def test_standard_deviations_and_correlations_of_estimates_are_refused(fitted, text):
    with pytest.raises(SpecError, match="whose estimates are not Gaussian"):
        fitted("sleepstudy").hypothesis(text)


# ---- draws ---------------------------------------------------------------------------------------------------------


def by_name(posterior):
    flat = flatten(posterior.design, posterior.values)
    return dict(zip(posterior.names, np.moveaxis(flat, -1, 0), strict=True))


@pytest.mark.parametrize("interval", [0.95, 0.5])
def test_hypotheses_count_draws(posterior_of, interval):
    posterior = posterior_of("sleepstudy", 2, 200, 0.3)
    draws = by_name(posterior)
    table = posterior.hypothesis(
        "Days > 9", "Days - Intercept / 25 < 0.1", "sd(Subject, Intercept) > 4 * sd(Subject, Days)", "Days = 11",
        "Days = 9", interval=interval,
    )  # fmt: skip
    differences = [
        draws["Days"] - 9.0,
        draws["Days"] - draws["Intercept"] / 25.0 - 0.1,
        draws["sd(Subject, Intercept)"] - 4.0 * draws["sd(Subject, Days)"],
        draws["Days"] - 11.0,
        draws["Days"] - 9.0,
    ]
    moments = [[d.mean(), d.std(ddof=1)] for d in differences]
    np.testing.assert_allclose(table[["mean", "sd"]], moments, rtol=1e-10)
    ends = [50.0 * (1.0 - interval), 50.0 * (1.0 + interval)]
    np.testing.assert_allclose(table[["lower", "upper"]], [np.percentile(d, ends) for d in differences], rtol=1e-10)
    shares = [np.mean(differences[0] > 0), np.mean(differences[1] < 0), np.mean(differences[2] > 0)]
    assert all(0.02 < share < 0.98 for share in shares)
    np.testing.assert_allclose(table["probability"].iloc[:3], shares)
    np.testing.assert_allclose(table["odds"].iloc[:3], [share / (1.0 - share) for share in shares])
    above = [np.mean(d > 0) for d in differences[3:]]
    assert above[0] < 0.5 < above[1]
    np.testing.assert_allclose(table["p_direction"].iloc[3:], np.maximum(above, 1.0 - np.array(above)))
    assert table["p_direction"].iloc[:3].isna().all()
    assert table["probability"].iloc[3:].isna().all()


def test_what_all_draws_fulfil_has_infinite_odds(posterior_of):
    row = posterior_of("sleepstudy", 2, 200, 0.3).hypothesis("sd(Subject, Days) > 0", "sigma < 0")
    assert row["probability"].tolist() == [1.0, 0.0]
    assert row["odds"].tolist() == [np.inf, 0.0]


# ---- arithmetic ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * Days", lambda i, d: 2 + 3 * d),
        ("(2 + 3) * Days", lambda i, d: 5 * d),
        ("10 - 4 - Days", lambda i, d: 6 - d),
        ("Intercept / 5 / Days", lambda i, d: i / 5 / d),
        ("2 * Days ^ 2", lambda i, d: 2 * d**2),
        ("-Days ^ 2", lambda i, d: -(d**2)),
        ("+Days - -Intercept", lambda i, d: d + i),
        ("2 ^ 3 ^ (Days / 10)", lambda i, d: 2 ** (3 ** (d / 10))),
        ("exp(Days / 10) * log(Intercept)", lambda i, d: np.exp(d / 10) * np.log(i)),
        ("sqrt(abs(1 - Days))", lambda i, d: np.sqrt(np.abs(1 - d))),
        ("1e1 * Days + .5", lambda i, d: 10 * d + 0.5),
        ("`Days` + Intercept", lambda i, d: d + i),
    ],
)
def test_arithmetic_is_rs(fitted, text, value):
    fit = fitted("sleepstudy")
    intercept, days = fit.values.beta
    found = fit.hypothesis(f"{text} = 0", f"1 = {text}")["estimate"]
    np.testing.assert_allclose(found, [value(intercept, days), 1.0 - value(intercept, days)], rtol=1e-12)


def test_names_within_names_are_told_apart(posterior_of):
    """``sd(g, x)`` and ``corr(g, ...)`` hold names of fixed effects, and one name may begin another."""
    posterior = posterior_of("sleepstudy", 2, 200, 0.3)
    draws = by_name(posterior)
    names = ["sd(Subject, Days)", "corr(Subject, Intercept, Days)", "Days", "sigma", "Intercept"]
    table = posterior.hypothesis(*(f"{name} > 0" for name in names), " + ".join(names) + " > 0")
    np.testing.assert_allclose(table["mean"].iloc[:5], [draws[name].mean() for name in names], rtol=1e-12)
    np.testing.assert_allclose(table["mean"].iloc[5], sum(draws[name] for name in names).mean(), rtol=1e-12)


def test_names_between_backticks_stay_as_they_are():
    """Thresholds have a bar in their names, which backticks quote as in R."""
    data = {"y": np.tile(["a", "b", "c", "b"], 12), "x": np.linspace(-1.0, 1.0, 48) ** 2, "g": np.arange(48) % 6}
    fit = bmx.Model("y ~ x + (1 | g)", data, family="cumulative").estimate()
    found = fit.hypothesis("`b|c` - `a|b` > x", "b|c - a|b > x")["estimate"]
    beta = dict(zip(fit.design.fixed, fit.values.beta, strict=True))
    np.testing.assert_allclose(found, beta["b|c"] - beta["a|b"] - beta["x"], rtol=1e-12)


def test_one_name_may_begin_another(fitted):
    fit = fitted("cbpp")
    found = fit.hypothesis("period2 + period3 - period4 > 0")["estimate"].iloc[0]
    np.testing.assert_allclose(found, fit.values.beta @ [0.0, 1.0, 1.0, -1.0], rtol=1e-12)


def test_names_that_are_no_words():
    """Interactions, and columns whose names have spaces."""
    rng = np.random.default_rng(1)
    data = {"f": list("abc") * 20, "x": rng.normal(size=60), "x 2": rng.normal(size=60), "y": rng.normal(size=60)}
    fit = bmx.Model("y ~ f * x + `x 2` + (1 | g)", {**data, "g": np.arange(60) % 5}).estimate()
    beta = dict(zip(fit.design.fixed, fit.values.beta, strict=True))
    found = fit.hypothesis("fb:x - 2 * x < 0.1", "`x 2` / 2 > fc:x")["estimate"]
    expected = [beta["fb:x"] - 2.0 * beta["x"] - 0.1, beta["`x 2`"] / 2.0 - beta["fc:x"]]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


# ---- messages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Days", "needs one comparison"),
        ("0 < Days < 1", "needs one comparison"),
        ("Dais > 0", r"`Dais` is not a parameter\. Did you mean `Days`"),
        ("Days + > 0", "ends where a term is expected"),
        ("Days Intercept > 0", "An operator is missing before `Intercept`"),
        ("(Days > 0", "Unmatched opening bracket"),
        ("Days * * 2 > 0", "A term is expected here, not `\\*`"),
        ("__import__('os') > 0", "cannot be read"),
        ("log(Days, 2) > 0", "write it with names of parameters"),
        ("Days > TRUE", "write it with names of parameters"),
        ("Days:Night > 0", r"`Days:Night` is not a parameter\. Did you mean `Days`"),
        ("sd(Subject, y) > 0", r"`sd\(Subject, y\)` is not a parameter"),
        (["Days > 0"], r"A hypothesis is a text, not \['Days > 0'\]"),
    ],
)
def test_hypotheses_that_cannot_be_read(fitted, text, message):
    with pytest.raises(SpecError, match=message):
        fitted("sleepstudy").hypothesis(text)


def test_several_equalities_at_once_are_one_f_test():
    """lmerTest's contest and pbkrtest's F; Wald's chi-square for z tests."""
    fit, beta = fit_of("machines"), fit_of("machines").values.beta
    for df in ("satterthwaite", "kenward-roger"):
        row = fit.hypothesis("MachineB = 0", "MachineC = 0", df=df, joint=True).iloc[0]
        statistic, numerator, denominator, p = FIGURES["machines"]["joint"][0][df]
        np.testing.assert_allclose(row.to_list(), [statistic, numerator, denominator, p], rtol=1e-4)
    row = fit.hypothesis("MachineB = 0", "MachineC = 0", df="asymptotic", joint=True).iloc[0]
    wald = beta[1:] @ np.linalg.solve(fit.point.beta_cov[1:, 1:], beta[1:])
    np.testing.assert_allclose(row.to_list(), [wald / 2, 2, np.inf, stats.chi2.sf(wald, 2)], rtol=1e-8)
    shifted = fit.hypothesis("MachineB = MachineC / 2", "2 * MachineB = MachineC", joint=True)
    assert shifted["df1"].item() == 1


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("MachineB > 0", "MachineC = 0"), "`MachineB > 0` is none"),
        (("MachineB = 0", "MachineB = 1"), "contradict each other"),
        (("sigma = 1",), "not Gaussian"),
    ],
)
def test_what_is_no_joint_test(texts, message):
    with pytest.raises(SpecError, match=message):
        fit_of("machines").hypothesis(*texts, joint=True)


@pytest.mark.parametrize("options", [{}, {"joint": True}])
def test_no_hypothesis_is_asked_for(options):
    with pytest.raises(SpecError, match="Name at least one"):
        fit_of("machines").hypothesis(**options)
