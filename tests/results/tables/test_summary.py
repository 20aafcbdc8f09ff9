"""Summaries: the layout against text that lme4 and the founding document print, the posterior against its parts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.fit import Estimate, Posterior
from bayesmix.inference.estimation.optimise import Status
from bayesmix.inference.parameters.names import covariance
from bayesmix.inference.sampling.draws import Draws
from bayesmix.results.tables.summary import summarise_posterior

REFERENCE = Path(__file__).parents[2] / "reference"
PRINTED = REFERENCE / "summaries"
LAST_DIGITS = 2e-3  # optimisers stop at slightly different points, and numbers are printed rounded

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
CASES = {  # file: formula, data set, method, further arguments
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "reml", {}),
    "sleepstudy_ml": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "ml", {}),
    "sleepstudy_uncorrelated": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", "reml", {}),
    "penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", "reml", {}),
    "dyestuff2": ("Yield ~ 1 + (1 | Batch)", "Dyestuff2", "reml", {}),
    "cake": ("angle ~ recipe * temperature + (1 | recipe:replicate)", "cake", "reml", {}),
    "cake_slopes": ("angle ~ recipe + temp + (recipe | replicate)", "cake", "reml", {}),
    "cbpp": (CBPP, "cbpp", "laplace", {"family": "binomial"}),
    "cbpp_agq": (CBPP, "cbpp", bmx.Agq(points=9), {"family": "binomial"}),
    "esoph": ("ncases ~ ncontrols + (ncontrols | agegp)", "esoph", "reml", {}),
    "esoph_poisson": ("ncases ~ ncontrols + (1 + ncontrols | agegp)", "esoph", "laplace", {"family": "poisson"}),
    "gamma": ("y ~ x + (1 | g)", "gammasim", "laplace", {"family": "gamma"}),
}


@cache
def fit(name):
    formula, data, method, options = CASES[name]
    return bmx.Model(formula, bmx.load_dataset(data), data_name=data, **options).estimate(method)


def printed(name):
    """What lme4 printed, in the words of its later versions and of bayesmix."""
    text = (PRINTED / f"{name}.txt").read_text(encoding="utf-8")
    text = re.sub(r" *\['?g?lmerMod'?\]", "", text)
    text = text.replace("((1 | Subject) + (0 + Days | Subject))", "(Days || Subject)")
    text = re.sub(r"\noptimizer \(.*", "", text, flags=re.DOTALL)  # what follows is worded differently
    return [line for line in text.splitlines() if line]


def without_later_columns(text):
    """The summary without what lme4 does not print: degrees of freedom and p values of t tests, and messages."""
    lines = text.split("\n\nboundary")[0].split("\n")
    lines = [line.split(". t-tests")[0] for line in lines if line and line != "  method"]
    if "Pr(>|t|)" not in text:
        return lines
    begin = next(i for i, line in enumerate(lines) if "Pr(>|t|)" in line)
    heading = lines[begin]
    first, second, third = (heading.index(word) + len(word) for word in ("Std. Error", " df", "t value"))
    rows = next((i for i, line in enumerate(lines) if i > begin and line.startswith(("---", "Corr"))), len(lines))
    cut = [line[:first] + line[second:third] for line in lines[begin:rows]]
    rest = [line for line in lines[rows:] if not line.startswith(("---", "Signif."))]
    return [*lines[:begin], *cut, *rest]


def skeleton(lines):
    """The layout: every digit as 0; the table of criteria, whose heading and so width has changed, by its words."""
    shown = [re.sub(r"\d", "0", line) for line in lines]
    return [
        " ".join(line.split()).replace("deviance", "-0*log(L)")
        if "logLik" in line or (i and "logLik" in shown[i - 1])
        else line
        for i, line in enumerate(shown)
    ]


def numbers(lines):
    text = "\n".join(line for line in lines if not line.startswith(("Formula", "Number")))
    return [float(number) for number in re.findall(r"(?<![\w.^:(])-?\d+\.\d+(?:e-?\d+)?", text)]


# ---- estimates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(("esoph", "gamma"))])
def test_layout_is_that_of_lme4(name):
    assert skeleton(without_later_columns(str(fit(name).summary()))) == skeleton(printed(name))


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(("esoph", "gamma", "cbpp"))])
def test_numbers_are_those_of_lme4(name):
    ours, theirs = numbers(without_later_columns(str(fit(name).summary()))), numbers(printed(name))
    assert len(ours) > 10
    np.testing.assert_allclose(ours, theirs, rtol=LAST_DIGITS, atol=1e-3)


def both_printed(variance, sd):
    """A standard deviation that rounds to the one printed, and its square to the variance printed."""
    lower = max(sd - half_unit(sd), np.sqrt(variance - half_unit(variance)))
    upper = min(sd + half_unit(sd), np.sqrt(variance + half_unit(variance)))
    assert lower < upper
    return 0.5 * (lower + upper)


def standard_error(estimate, std_error, t_value=None, **_):
    """A standard error that rounds to the one printed, and gives the t value printed."""
    if t_value is None:
        return std_error
    room = 0.9 * half_unit(std_error)
    return float(np.clip(estimate / t_value, std_error - room, std_error + room))


def two_by_two(correlation):
    return np.array([[1.0, correlation], [correlation, 1.0]])


def half_unit(value):
    return 0.5 * 10.0 ** -len(f"{value:.7f}".rstrip("0").split(".")[1])


def as_documented(name, figures):
    """The estimate moved to the figures that the document prints."""
    estimate = fit(name)
    fixed = figures["fixef"]
    beta = np.array([fixed[effect]["estimate"] for effect in estimate.design.fixed])
    errors = np.array([standard_error(**fixed[effect]) for effect in estimate.design.fixed])
    between = two_by_two(figures["corr_fixef"]["Intercept, ncontrols"])
    spread = figures["varcorr"]
    sd = [both_printed(spread[f"var(agegp, {name})"], spread[f"sd(agegp, {name})"]) for name in estimate.design.fixed]
    corr = two_by_two(spread["corr(agegp, Intercept, ncontrols)"])
    return Estimate(
        estimate.fitted_model,
        replace(
            estimate.point,
            beta=beta,
            beta_cov=covariance(errors, between),
            covariances=(covariance(np.array(sd), corr),),
            dispersion=both_printed(spread["var(Residual)"], spread["sigma"]) if "sigma" in spread else None,
            b=(np.array(list(figures["coef"]["agegp"].values())) - beta,),
        ),
    )


@pytest.mark.parametrize("name", ["esoph", "esoph_poisson"])
def test_documented_figures_print_as_in_the_document(name):
    document = json.loads((REFERENCE / "document.json").read_text(encoding="utf-8"))
    key = name if name.endswith("poisson") else "esoph_lmm"
    lines = without_later_columns(str(as_documented(name, document["models"][key]).summary()))
    expected = printed(f"document_{key}")
    if key == "esoph_poisson":  # later versions of lme4 say what the deviance is, in a wider column
        place = next(i for i, line in enumerate(expected) if "deviance" in line)
        assert lines[place : place + 2] == [
            "      AIC       BIC    logLik -2*log(L)  df.resid",
            "    315.1     327.5    -152.5     305.1        83",
        ]
        assert lines[place + 1].split() == expected[place + 1].split()
        del lines[place : place + 2], expected[place : place + 2]
    assert lines == expected


def test_t_tests_are_those_of_lmertest():
    lines = str(fit("esoph").summary()).splitlines()
    assert lines[0] == "Linear mixed model fit by REML. t-tests use Satterthwaite's method"
    begin = lines.index("Fixed effects:")
    assert lines[begin + 1 : begin + 6] == [  # df: 4.82203 and 5.00302 at lmer's own optimum
        "            Estimate Std. Error    df t value Pr(>|t|)",
        "(Intercept)  1.63379    0.59994 4.821   2.723   0.0432 *",
        "ncontrols    0.04971    0.03676 5.004   1.352   0.2342",
        "---",
        "Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1",
    ]


def test_no_legend_without_stars():
    text = str(fit("esoph_poisson").summary())
    assert "0.781\n" in text
    assert "Signif." not in text


def test_tables_hold_the_numbers():
    estimate = fit("cbpp")
    tables = estimate.summary().tables
    assert list(tables) == ["criteria", "scaled_residuals", "random_effects", "fixed_effects", "correlation"]
    assert tables["criteria"].loc["AIC", "value"] == estimate.aic
    assert list(tables["fixed_effects"].columns) == ["estimate", "std_error", "statistic", "p_value"]
    assert tables["correlation"].loc["period2", "period2"] == pytest.approx(1.0)
    assert list(fit("esoph").summary().tables["fixed_effects"].columns)[2:] == ["df", "statistic", "p_value"]


def test_html_has_the_tables():
    summary = fit("cbpp").summary()
    assert summary._repr_html_().startswith("<p>Generalized linear")
    assert "<th>p_value</th>" in summary._repr_html_()
    assert repr(summary) == str(summary)


def test_scaled_residuals_of_a_gamma_model_have_unit_variance():
    quantiles = fit("gamma").summary().tables["scaled_residuals"]["value"]
    assert quantiles["3Q"] - quantiles["1Q"] == pytest.approx(1.35, abs=0.35)
    assert re.search(r"groups:  g, 24\nShape of the response distribution: \d\.\d+", str(fit("gamma").summary()))


# ---- messages ---------------------------------------------------------------------------------------------------


def last_lines(estimate):
    return str(estimate.summary()).split("\n\n")[-1]


def test_a_variance_of_zero_is_named():
    assert last_lines(fit("dyestuff2")) == "boundary (singular) fit: sd(Batch, Intercept) = 0"


def test_a_direction_without_variation_is_named():
    assert re.fullmatch(
        r"boundary \(singular\) fit: no variation between levels of replicate in ([+-]\d\.\d\d\s\w+\s?){3}"
        r"\(effects over\stheir sd\)",
        last_lines(fit("cake_slopes")),
    )


def test_a_correlation_of_one_is_named():
    point = fit("esoph").point
    one = np.array([[1.0, -0.1], [-0.1, 0.01]])
    moved = Estimate(fit("esoph").fitted_model, replace(point, covariances=(one,), singular=(0,)))
    assert last_lines(moved) == "boundary (singular) fit: corr(agegp, Intercept, ncontrols) = -1"


def test_failed_convergence_is_a_sentence():
    point = fit("esoph").point
    stalled = replace(point, optimum=replace(point.optimum, status=Status.STALLED))
    text = last_lines(Estimate(fit("esoph").fitted_model, stalled)).replace("\n", " ")
    assert text == "The optimiser did not converge: no further progress although the gradient is not zero."


def test_rows_and_columns_left_out_are_counted():
    data = bmx.load_dataset("sleepstudy").assign(Hours=lambda frame: 24 * frame["Days"])
    data.loc[[3, 5], "Reaction"] = np.nan
    with pytest.warns(bmx.DroppedWarning):
        estimate = bmx.Model("Reaction ~ Days + Hours + (1 | Subject)", data).estimate()
    assert "\n(2 of 180 rows left out for missing values)\n" in str(estimate.summary())
    assert last_lines(estimate) == (
        "fixed-effect model matrix is rank deficient so dropping 1 column / coefficient:\nHours"
    )


def test_correlations_stand_beside_their_effects():
    """Two terms of one factor and another without correlations: each correlation is in the row of its later effect."""
    data = bmx.load_dataset("sleepstudy").assign(late=lambda frame: frame["Days"] % 3, week=lambda f: f["Days"] // 5)
    data["odd"] = data["Days"] % 2
    formula = "Reaction ~ Days + (Days | Subject) + (1 | week) + (0 + late + odd | Subject)"
    plain = bmx.Model(formula, data).estimate()
    chosen = (np.array([[4.0, -0.8], [-0.8, 1.0]]), np.array([[9.0, 1.8], [1.8, 4.0]]), np.eye(1))
    lines = str(Estimate(plain.fitted_model, replace(plain.point, covariances=chosen)).summary()).splitlines()
    begin = lines.index("Random effects:") + 2
    assert [line.split() for line in lines[begin : begin + 5]] == [
        ["Subject", "(Intercept)", "4.0", "2.00"],
        ["Days", "1.0", "1.00", "-0.40"],  # -0.8 / (2 * 1)
        ["Subject.1", "late", "9.0", "3.00"],
        ["odd", "4.0", "2.00", "0.30"],  # 1.8 / (3 * 2)
        ["week", "(Intercept)", "1.0", "1.00"],
    ]


def test_weights_and_offset_are_shown():
    model = bmx.Model(
        "Reaction ~ Days + (1 | Subject)", bmx.load_dataset("sleepstudy_ow"), weights="wt", offset="off", data_name="d"
    )
    heading = str(model.estimate().summary()).split("\n\n")[0]
    assert heading.endswith("\nFormula: Reaction ~ Days + (1 | Subject)\n   Data: d\nWeights: wt\n Offset: off")


def test_many_correlations_are_not_shown():
    data = bmx.load_dataset("sleepstudy")
    rng = np.random.default_rng(1)
    names = [f"x{i}" for i in range(21)]
    data[names] = rng.normal(size=(len(data), 21))
    estimate = bmx.Model(f"Reaction ~ {' + '.join(names)} + (1 | Subject)", data).estimate()
    assert last_lines(estimate) == "Correlation of fixed effects not shown, as p = 22 > 20; see fit.vcov"


def test_no_fixed_effects_no_table():
    estimate = bmx.Model("Reaction ~ 0 + (1 | Subject)", bmx.load_dataset("sleepstudy")).estimate()
    assert "Fixed" not in str(estimate.summary())
    assert estimate.summary().tables["fixed_effects"].empty


def test_many_groups_go_to_a_line_of_their_own():
    data = bmx.load_dataset("sleepstudy")
    long = {"a" * 30: data["Subject"], "b" * 30: data["Subject"].to_numpy()[::7][np.arange(180) % 26]}
    estimate = bmx.Model(
        f"Reaction ~ 1 + {' + '.join(f'(1 | {name})' for name in long)}", data.assign(**long)
    ).estimate()
    assert f"Number of obs: 180, groups:\n{'a' * 30}, 18; {'b' * 30}, 18\n" in str(estimate.summary())


# ---- posteriors -------------------------------------------------------------------------------------------------


def with_stats(posterior, **changes):
    draws = posterior.draws
    changed = Draws(**({"parameters": draws.parameters, "stats": draws.stats, "method": "nuts", "notes": ()} | changes))
    return Posterior(posterior.fitted_model, changed, posterior.priors)


def test_posterior_has_the_sections_of_an_estimate(posterior_of):
    posterior = with_stats(posterior_of("esoph", chains=4, draws=250, spread=0.1))
    text = str(posterior.summary())
    assert [line for line in text.splitlines() if re.match(r"[A-Z].*:$", line)] == [
        "Scaled residuals:",
        "Random effects:",
        "Fixed effects:",
    ]
    assert text.startswith(
        "Linear mixed model, posterior by NUTS\n"
        " Family: gaussian  ( identity )\n"
        "Formula: ncases ~ ncontrols + (ncontrols | agegp)\n"
        "  Draws: 4 chains of 250 draws each\n"
        " Priors: bayesmix defaults (print the model to see them)\n"
    )
    moments, limits = ["mean", "sd", "median"], ["2.5", "%", "97.5", "%"]
    diagnostics = ["ESS", "bulk", "ESS", "tail", "R-hat"]  # below, where a page has no room for all
    lines = text.splitlines()
    begin = lines.index("Random effects:") + 1
    for place, own in ((begin, [*moments, "mode"]), (begin + 5, [*limits, *diagnostics])):
        assert lines[place].split() == ["Groups", "Parameter", *own]
        assert [line[:38].rstrip()[1:] for line in lines[place + 1 : place + 5]] == [
            "agegp    sd (Intercept)",
            "         sd ncontrols",
            "         corr (Intercept), ncontrols",
            "Residual sigma",
        ]
    begin = lines.index("Fixed effects:") + 1
    for place, own in ((begin, [*moments, *limits, "P(direction)"]), (begin + 3, diagnostics)):
        assert lines[place].split() == own
        assert [line.split()[0] for line in lines[place + 1 : place + 3]] == ["(Intercept)", "ncontrols"]


def test_posterior_tables_are_the_parameters(posterior_of):
    posterior = posterior_of("esoph", chains=4, draws=250, spread=0.1)
    tables = posterior.summary().tables
    parameters = posterior.parameters()
    assert list(tables["fixed_effects"].index) + list(tables["random_effects"].index) == list(parameters.index)
    row = str(posterior.summary()).splitlines()[-8]  # three digits of the sd set the decimals
    mean, sd = parameters.loc["ncontrols", ["mean", "sd"]]
    assert row.split()[:3] == ["ncontrols", f"{mean:.5f}", f"{sd:.5f}"]


def test_the_probability_of_a_direction(posterior_of):
    """Of what has a sign: not of standard deviations."""
    posterior = posterior_of("esoph", chains=4, draws=250, spread=0.1)
    beta = posterior.values.beta.copy()
    beta[..., 1] -= np.quantile(beta[..., 1], 0.9)
    moved = with_stats(posterior, parameters=replace(posterior.values, beta=beta))
    tables = moved.summary().tables
    assert tables["fixed_effects"].loc["ncontrols", "p_direction"] == np.mean(beta[..., 1] < 0.0) == 0.9
    row = next(line for line in str(moved.summary()).splitlines() if line.startswith("ncontrols"))
    assert row.split()[6] == "0.900"
    spread = tables["random_effects"]["p_direction"]
    corr = posterior.values.corr[0][..., 1, 0]
    assert spread.loc["corr(agegp, Intercept, ncontrols)"] == max(np.mean(corr > 0.0), np.mean(corr < 0.0))
    assert spread.drop("corr(agegp, Intercept, ncontrols)").isna().all()


def test_interval_is_in_the_headings(posterior_of):
    text = str(summarise_posterior(posterior_of("esoph", chains=2, draws=10, spread=0.1), interval=0.89))
    assert re.search(r" 5\.5 % +94\.5 % ", text)


def test_convergence_in_sentences(posterior_of):
    posterior = with_stats(posterior_of("esoph", chains=4, draws=250, spread=0.1), notes=("A note of the sampler.",))
    assert posterior.converged
    last = str(posterior.summary()).split("\n\n")[-1]
    assert re.fullmatch(
        r"The chains converged. A note of the sampler. None of the 1000 transitions diverged. R-hat is at most"
        r" 1\.\d{3} for .* \(limit 1.01\). The effective sample size is at least \d+ for .* \(limit 400\).",
        last.replace("\n", " "),
    )


def test_the_certificate_of_marginal_sampling(posterior_of):
    good = posterior_of("esoph", chains=4, draws=250, spread=0.1)
    certificate = {"acceptance": 0.934, "pareto_k": 0.123}
    posterior = with_stats(good, stats={}, method="marginal", certificate=certificate)
    text = str(posterior.summary())
    assert text.startswith("Linear mixed model, posterior by exact marginal sampling\n")
    last = text.rsplit("\n\n", maxsplit=1)[-1].replace("\n", " ")
    assert "93% of the proposals were accepted. Pareto k of the proposal is 0.12 (limit 0.5)." in last
    assert "diverged" not in last
    beta = good.values.beta.copy()
    beta[0] += 1.0
    stuck = with_stats(good, parameters=replace(good.values, beta=beta), stats={}, method="marginal")
    assert str(stuck.summary()).endswith('\nNext: sample with NUTS, model.sample(method="nuts").')


def test_divergences_come_with_advice(posterior_of):
    good = posterior_of("esoph", chains=4, draws=250, spread=0.1)
    diverging = np.zeros((4, 250), bool)
    diverging[0, :7] = True
    last = str(with_stats(good, stats={"diverging": diverging}).summary()).split("\n\n")[-1]
    assert last.startswith("The chains did not converge. 7 of the 1000 transitions diverged.")
    advice = "Next: take shorter steps, model.sample(method=bmx.Nuts(target_accept=0.999, tune=2000)),"
    assert advice in " ".join(last.split())


def test_few_good_draws_are_called_few(posterior_of):
    few = posterior_of("esoph", chains=4, draws=50, spread=0.1)
    assert not few.converged
    last = str(few.summary()).split("\n\n")[-1]
    assert last.startswith("200 draws are too few to say whether the chains converged. ")
    assert last.endswith("\nNext: draw more, model.sample(draws=1000); on the command line, --draws 1000.")
    assert "4 chains of 50 draws by by hand, which are too few: see diagnose()\n" in repr(few)
    beta = few.values.beta.copy()
    beta[0, :, 1] += 1.0
    apart = with_stats(few, parameters=replace(few.values, beta=beta))
    assert "The chains did not converge." in str(apart.summary())
    assert "which did not converge" in repr(apart)
    slow = replace(few.values, beta=np.cumsum(few.values.beta - few.values.beta.mean(axis=(0, 1)), axis=1))
    assert "The chains did not converge." in str(with_stats(few, parameters=slow).summary())


def test_chains_that_disagree_are_named(posterior_of):
    good = posterior_of("esoph", chains=4, draws=250, spread=0.1)
    beta = good.values.beta.copy()
    beta[0, :, 1] += 1.0
    posterior = with_stats(good, parameters=replace(good.values, beta=beta))
    last = str(posterior.summary()).split("\n\n")[-1].replace("\n", " ")
    assert re.search(r"R-hat is at most 1\.[5-9]\d\d for ncontrols", last)
    assert "Next: draw more, model.sample(draws=1000)" in last


def test_a_random_effect_is_named_by_its_level(posterior_of):
    good = posterior_of("esoph", chains=4, draws=250, spread=0.1)
    b = good.values.b[0].copy()
    b[0, :, 2, 1] += 1.0
    last = str(with_stats(good, parameters=replace(good.values, b=(b,))).summary()).split("\n\n")[-1]
    assert "for the effect of ncontrols at agegp 45-54" in last.replace("\n", " ")


def test_chains_that_do_not_move(posterior_of):
    last = str(posterior_of("esoph", chains=2, draws=10).summary()).split("\n\n")[-1]
    assert "R-hat is" in last


def test_own_priors_are_shown(posterior_of):
    model = bmx.Model(
        "Yield ~ 1 + (1 | Batch)",
        bmx.load_dataset("Dyestuff"),
        priors={"preset": "flat", "sd(Batch)": "HalfNormal(50)"},
    )
    posterior = posterior_of("dyestuff", chains=2, draws=10, spread=0.1)
    shown = Posterior(model._fitted, posterior.draws, model.priors)
    assert "\n Priors: flat; sd(Batch) ~ HalfNormal(50)\n" in str(shown.summary())


def test_several_groups_of_a_posterior(posterior_of):
    text = str(posterior_of("penicillin", chains=2, draws=10, spread=0.1).summary())
    assert re.search(r"\n plate    sd \(Intercept\) .*\n sample   sd \(Intercept\) .*\n Residual sigma  ", text)
