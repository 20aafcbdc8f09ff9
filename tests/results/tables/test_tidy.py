"""Long tables in broom.mixed's columns; short prints; HTML."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bayesmix.errors import SpecError


def test_estimates_are_tidy(fitted, reference):
    """lme4's figures in broom.mixed's columns and names."""
    fit, figures = fitted("sleepstudy"), reference("sleepstudy_corr")
    table = fit.tidy()
    assert list(table.columns[:3]) == ["effect", "group", "term"]
    assert {"estimate", "std.error", "statistic", "df", "p.value", "conf.low", "conf.high"} <= set(table.columns)
    assert list(table["term"]) == [
        "(Intercept)",
        "Days",
        "sd__(Intercept)",
        "sd__Days",
        "cor__(Intercept).Days",
        "sd__Observation",
    ]
    assert list(table["group"].fillna("")) == ["", "", "Subject", "Subject", "Subject", "Residual"]
    assert list(table["effect"]) == ["fixed"] * 2 + ["ran_pars"] * 4
    np.testing.assert_allclose(table["estimate"], fit.parameters()["estimate"], rtol=1e-12)
    np.testing.assert_allclose(table["estimate"].iloc[-1], figures["sigma"], rtol=1e-4)
    fixed = table.iloc[:2]
    np.testing.assert_allclose(fixed["df"], 17.0, rtol=1e-3)
    half = stats.t(fixed["df"]).ppf(0.975) * fixed["std.error"]
    np.testing.assert_allclose(fixed["conf.high"] - fixed["estimate"], half, rtol=1e-10)
    assert table["conf.low"].iloc[2:].isna().all()


def test_random_effects_are_tidy(fitted, posterior_of):
    fit = fitted("penicillin")
    table = fit.tidy(["ran_vals"])
    assert len(table) == 24 + 6
    first = table.iloc[0]
    assert (first["group"], first["level"], first["term"]) == ("plate", "a", "(Intercept)")
    np.testing.assert_allclose(table["estimate"], np.concatenate([t.to_numpy().ravel() for t in fit.ranef().values()]))
    np.testing.assert_allclose(
        table["std.error"], np.concatenate([t.to_numpy().ravel() for t in fit.ranef_sd().values()])
    )
    posterior = posterior_of("penicillin", 2, 40, 0.2)
    drawn = posterior.tidy(["ran_vals"])
    np.testing.assert_allclose(drawn["std.error"].iloc[3], posterior.values.b[0][:, :, 3, 0].std(ddof=1), rtol=1e-12)


def test_posteriors_are_tidy(posterior_of):
    fit = posterior_of("cbpp", 2, 50, 0.1)
    table = fit.tidy(interval=0.8)
    parameters = fit.parameters(interval=0.8)
    for ours, theirs in {"mean": "estimate", "sd": "std.error", "lower": "conf.low", "r_hat": "rhat"}.items():
        np.testing.assert_array_equal(table[theirs], parameters[ours])
    assert list(table["term"].tail(1)) == ["sd__(Intercept)"]


def test_effects_that_do_not_exist(fitted):
    with pytest.raises(SpecError, match=r"no effects `ranpars`\. Did you mean `ran_pars`"):
        fitted("cbpp").tidy(["ranpars"])


def test_prints_are_short(fitted, posterior_of):
    for name in ("sleepstudy", "cbpp", "dyestuff2"):
        for fit in (fitted(name), posterior_of(name, 2, 50, 0.01)):
            lines = repr(fit).splitlines()
            assert len(lines) <= 6 + len(fit.names)
            assert fit.spec.formula.text in lines[0]
            assert all(any(line.startswith(name) for line in lines) for name in fit.names)
            assert "nan" not in repr(fit)
    assert "REML criterion: 1743.63" in repr(fitted("sleepstudy"))
    assert "singular" in repr(fitted("dyestuff2"))


def test_summaries_have_html(fitted, posterior_of):
    page = fitted("sleepstudy")._repr_html_()
    assert "REML criterion" in page
    assert page.count("<table") == 5
    assert "25.59" in page  # sigma
    assert "<script" not in page
    assert posterior_of("sleepstudy", 2, 50, 0.01).summary().to_html().count("<table") == 3
