"""Models in other packages' words: the text, what is refused, and the same model when it is run."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from r_code import R, run_r, table_of_r
from typer.testing import CliRunner

import bayesmix as bmx
from bayesmix.language.families.registry import FAMILIES
from bayesmix.present.cli import app
from bayesmix.results.interoperability.brms_code import renamed

SLEEP = "Reaction ~ Days + (Days | Subject)"
# name -> formula, data set, options
MODELS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "slopes": (SLEEP, "sleepstudy", {}),
    "independent": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", {}),
    "nested": ("strength ~ 1 + (1 | batch/cask)", "Pastes", {}),
    "shares": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", {"family": "binomial"}),
    "quotients": ("incidence/size ~ period + (1 | herd)", "cbpp", {"family": "binomial"}),
    "trials": ("incidence | trials(size) ~ period + (1 | herd)", "cbpp", {"family": "binomial"}),
    "counts": ("ncases ~ ncontrols + (1 | agegp)", "esoph", {"family": "poisson", "offset": "log(ncontrols + 1)"}),
    "negative binomial": ("y ~ x + z + (1 | g)", "nbsim", {"family": "negbinomial"}),
    "gamma": ("y ~ x + (1 | g)", "gammasim", {"family": "gamma"}),
    "weights": ("Reaction ~ Days + (Days | Subject)", "sleepstudy_ow", {"weights": "wt"}),
    "counted": ("Reaction | weights(wt) ~ Days + (1 | Subject)", "sleepstudy_ow", {}),
    "zeros": (["count ~ mined + (1 | site)", "zi ~ mined"], "Salamanders", {"family": "zero_inflated_poisson"}),
    "sigma": (["Reaction ~ Days + (1 | Subject)", "sigma ~ Days"], "sleepstudy", {}),
    "ratings": ("rating ~ temp + contact + (1 | judge)", "wine", {"family": "cumulative"}),
    "shared": (["Reaction ~ Days + (1 | p | Subject)", "sigma ~ 1 + (1 | p | Subject)"], "sleepstudy", {}),
    "smooth": ("Reaction ~ s(Days, k = 6) + (1 | Subject)", "sleepstudy", {}),
    "responses": (["Reaction ~ Days + (1 | p | Subject)", "Days ~ 1 + (1 | p | Subject)"], "sleepstudy", {}),
    "growth": (
        ["Reaction ~ base * exp(rate * Days)", "base ~ 1 + (1 | Subject)", "rate ~ 1"],
        "sleepstudy",
        {
            "start": {"base": 250.0, "rate": 0.04},
            "priors": {
                "base_Intercept": "Normal(250, 50)",
                "rate_Intercept": "Normal(0, 1)",
                "sd(Subject)": "HalfNormal(50)",
            },
        },
    ),
    "process": ("Reaction ~ gp(Days, k = 5) + (1 | Subject)", "sleepstudy", {}),
    "levels times a number": ("y ~ 0 + z + z:x + (1 | g)", "nbsim", {"family": "negbinomial"}),
    "products": ("y ~ x * z + (1 | g)", "nbsim", {"family": "negbinomial"}),
    "autoregression": ("Reaction ~ Days + ar(Days, Subject, p = 1)", "sleepstudy", {}),
}


def model_of(name: str) -> bmx.Model:
    formula, data, options = MODELS[name]
    options = dict(options)
    frame = bmx.load_dataset(data)
    if options.get("offset"):
        frame = frame.assign(exposure=np.log(frame["ncontrols"] + 1.0))
        options["offset"] = "exposure"
    return bmx.Model(formula, frame, data_name=data, **options)


# ---- the text -------------------------------------------------------------------------------------------------------

TEXTS = {
    ("slopes", "lme4"): "fit <- lmer(Reaction ~ Days + (1 + Days | Subject), data = sleepstudy)",
    ("independent", "lme4"): "  Reaction ~ Days + (1 | Subject) + (0 + Days | Subject),",
    ("nested", "lme4"): "fit <- lmer(strength ~ 1 + (1 | cask:batch) + (1 | batch), data = Pastes)",
    ("quotients", "glmmTMB"): "  weights = size,",
    ("counts", "lme4"): "  offset = exposure,",
    ("negative binomial", "lme4"): "fit <- glmer.nb(y ~ x + z + (1 | g), data = nbsim)",
    ("zeros", "glmmTMB"): "  ziformula = ~ mined",
    ("sigma", "glmmTMB"): "  dispformula = ~ Days",
    ("slopes", "glmmTMB"): "  REML = TRUE",
    ("shares", "brms"): "  incidence | trials(incidence + (size - incidence)) ~ period + (1 | herd),",
    ("shared", "brms"): "  bf(Reaction ~ Days + (1 | p | Subject), sigma ~ 1 + (1 | p | Subject)),",
    ("slopes", "brms"): '    set_prior("lkj(2)", class = "cor", group = "Subject")',
    ("zeros", "brms"): '    set_prior("normal(0, 2.000338175)", class = "b", coef = "minedno", dpar = "zi"),',
    ("ratings", "brms"): '    set_prior("normal(-1.38629, 1.5)", class = "Intercept", coef = "1"),',
    ("smooth", "brms"): '    set_prior("exponential(0.00740992229)", class = "sds", coef = "s(Days, k = 6)")',
    ("growth", "brms"): '    set_prior("normal(0, 1)", class = "b", coef = "Intercept", nlpar = "rate"),',
    ("autoregression", "brms"): "  Reaction ~ Days + ar(Days, Subject, p = 1, cov = TRUE),",
    ("trials", "pymc"): 'trials = cbpp["size"]',
    ("trials", "bambi"): 'cbpp = cbpp.assign(trials_of_response=cbpp.eval("size").astype(int))',
    ("counted", "glmmTMB"): "  weights = wt,",
    ("weights", "pymc"): '    pm.Normal("y", mu=mu, sigma=sigma / np.sqrt(weights), observed=y)',
    ("slopes", "pymc"): '        "Subject", n=2, eta=2,',
}


@pytest.mark.parametrize(("name", "package"), TEXTS)
def test_lines_of_the_text(name: str, package: str) -> None:
    assert TEXTS[name, package] in model_of(name).code(package).splitlines()


def test_what_differs_is_said_in_comments() -> None:
    assert "# lme4 has no priors: this is the estimate, not the posterior." in model_of("slopes").code("lme4")
    assert "hold at Days = 4.5 here, at zero in brms" in model_of("slopes").code("brms")
    assert "#" not in model_of("shares").code("brms")


def test_a_prior_at_zero_makes_the_intercept_a_column() -> None:
    formula = "Reaction ~ Days + (1 | Subject)"
    text = bmx.Model(formula, bmx.load_dataset("sleepstudy"), priors={"Intercept": "Normal(250, 50)"}).code("brms")
    assert "  Reaction ~ 0 + Intercept + Days + (1 | Subject)," in text
    assert 'set_prior("normal(250, 50)", class = "b", coef = "Intercept")' in text
    assert "data = data" in text


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("I(x^2)", "IxE2"), ("poly(x, 2)1", "polyx21"), ("temperature^4", "temperatureE4"), ("a:b", "a:b")],
)
def test_names_of_coefficients_in_brms(ours: str, theirs: str) -> None:
    assert renamed(ours) == theirs


# ---- what is refused ------------------------------------------------------------------------------------------------

REFUSED = [
    ("zeros", "lme4", "lme4 has no formulas of other parameters. glmmTMB and brms have them."),
    ("smooth", "lme4", "lme4 has no penalised smooths"),
    ("ratings", "glmmTMB", "glmmTMB has no family `cumulative`"),
    ("shared", "glmmTMB", "glmmTMB has no effects that several formulas share"),
    ("process", "glmmTMB", r"glmmTMB has no `gp\(\)`"),
    ("growth", "lme4", "lme4 has no such nonlinear means"),
    ("autoregression", "glmmTMB", r"glmmTMB has no `ar\(Days, Subject, p = 1\)`"),
    ("weights", "brms", "brms has no weights that divide a variance"),
    ("weights", "glmmTMB", "Its weights of gaussian responses multiply log densities"),
    ("counted", "lme4", "Its weights of gaussian responses divide the dispersion"),
    ("counted", "pymc", "PyMC's code has no weights of log densities"),
    ("slopes", "bambi", "bambi has no correlated effects"),
    ("zeros", "pymc", "PyMC's code has no models of several linear predictors"),
    ("slopes", "stan", "There is no code for `stan`"),
]


@pytest.mark.parametrize(("name", "package", "message"), REFUSED)
def test_what_a_package_lacks_is_named(name: str, package: str, message: str) -> None:
    with pytest.raises(bmx.SpecError, match=message):
        model_of(name).code(package)


def test_structures_that_a_package_lacks_are_named() -> None:
    data = bmx.load_dataset("cake")
    model = bmx.Model("angle ~ recipe + cs(0 + recipe | replicate)", data)
    assert "cs(0 + recipe | replicate)" in model.code("glmmTMB")
    for package in ("lme4", "brms"):
        with pytest.raises(bmx.SpecError, match=rf"{package} has no `cs\(\)`"):
            model.code(package)
    with pytest.raises(bmx.SpecError, match="independent effects of the levels of `recipe`"):
        bmx.Model("angle ~ recipe + (0 + recipe || replicate)", data).code("lme4")
    with pytest.raises(bmx.SpecError, match=r"no words for the column `poly\(temp,"):
        bmx.Model("angle ~ poly(temp, 2) + (1 | replicate)", data).code("pymc")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_code_or_is_refused_by_name(family: str) -> None:
    """Nothing is left out without a word: where there is code, it has the family."""
    y = {"real": [1.5, 2.5, 0.5], "angle": [0.1, 0.5, -1.0]}
    support = FAMILIES[family].support
    for values in (y.get(support), [1.0, 2.0, 3.0], [0.2, 0.5, 0.7], [0.0, 1.0, 1.0], ["a", "b", "c"]):
        if values is None:
            continue
        data = {"y": values * 6, "z": values * 6, "x": np.linspace(0.0, 1.0, 18), "g": list("abc") * 6}
        try:
            left = "cbind(y, z)" if FAMILIES[family].has_category_counts else "y"
            model = bmx.Model(f"{left} ~ x + (1 | g)", data, family=family)
            break
        except bmx.BayesmixError:
            continue
    found, messages = 0, list[str]()
    for package in ("lme4", "glmmTMB", "brms", "pymc"):
        try:
            found += "x + (1 | g)" in model.code(package) or "pm.Model" in model.code(package)
        except bmx.SpecError as error:
            messages.append(str(error))
    assert all(re.search(r"(lme4|glmmTMB|brms|PyMC's code) has no", message) for message in messages)
    assert found or family in {"hurdle_nbinom1", "zero_inflated_nbinom1"}


def test_a_family_of_ones_own_is_refused() -> None:
    from dataclasses import replace

    own = replace(FAMILIES["poisson"], name="mine")
    model = bmx.Model("ncases ~ ncontrols + (1 | agegp)", bmx.load_dataset("esoph"), family=own)
    with pytest.raises(bmx.SpecError, match="`mine` is a family of your own: brms does not know it"):
        model.code("brms")


def test_names_of_columns_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column may be called anything: what stands in its name is text in the code, and nothing evaluates it here."""
    name = 'x"] + open("owned", "w")["'
    rng = np.random.default_rng(1)
    data = {"y": rng.normal(size=12), name: rng.normal(size=12), "g": list("abc") * 4}
    model = bmx.Model(f"y ~ `{name}` + (1 | g)", data)
    monkeypatch.chdir(tmp_path)
    text = model.code("pymc")
    assert json.dumps(name) in text
    compile(text, "code", "exec")
    assert "owned" in model.code("brms")
    assert not list(tmp_path.iterdir())


def test_the_command() -> None:
    printed = CliRunner().invoke(app, ["code", SLEEP, "sleepstudy", "--to", "lme4"])
    assert printed.exit_code == 0
    assert printed.stdout.rstrip() == model_of("slopes").code("lme4")
    refused = CliRunner().invoke(app, ["code", SLEEP, "sleepstudy", "--to", "bambi"])
    assert refused.exit_code == 2
    assert "correlated effects" in refused.stderr


# ---- the same model when it is run ----------------------------------------------------------------------------------

MODE = "FAST_COMPILE"  # of PyTensor: a density of a few points needs no machine code


@pytest.mark.slow
@pytest.mark.skipif(R is None, reason="R is not there")
@pytest.mark.parametrize("package", ["lme4", "glmmTMB"])
def test_coefficients_are_those_of_r(package: str) -> None:
    """Within a hundredth of a standard error: of optimisers."""
    names = {
        "lme4": ("slopes", "independent", "nested", "shares", "quotients", "counts", "weights"),
        "glmmTMB": ("slopes", "shares", "counts", "negative binomial", "gamma", "zeros"),
    }[package]
    models = {name: model_of(name) for name in names}
    tables = dict.fromkeys(table_of_r(MODELS[name][1]) for name in names)
    lines = [f'if (!requireNamespace("{package}", quietly = TRUE)) quit()', *tables]
    for model in models.values():
        lines += [model.code(package), 'cat("=", unlist(fixef(fit)), "\\n")']
    rows = [line.split()[1:] for line in run_r(*lines).splitlines() if line.startswith("= ")]
    if not rows:
        pytest.skip(f"{package} is not there")
    for (name, model), row in zip(models.items(), rows, strict=True):
        table = model.estimate().fixef()
        theirs = np.array(row, float)[: len(table)]
        error = np.abs(theirs - table["estimate"]) / table["std_error"]
        assert error.max() < 0.01, (name, theirs)


@pytest.mark.slow
@pytest.mark.skipif(R is None, reason="R is not there")
def test_brms_takes_formulas_families_and_priors() -> None:
    """Stan code is made of every text; brms refuses priors of parameters that a model has not."""
    names = [name for name in MODELS if name not in {"weights", "process"}]
    lines = [
        'if (!requireNamespace("brms", quietly = TRUE)) quit()',
        "suppressMessages(library(brms))",
        'brm <- function(...) cat("=", nchar(make_stancode(...)), "\\n")',
        *dict.fromkeys(table_of_r(MODELS[name][1]) for name in names),
    ]
    made = run_r(*lines, *(model_of(name).code("brms") for name in names))
    if not made:
        pytest.skip("brms is not there")
    assert len(made.splitlines()) == len(names)


def built(text: str, name: str, end: str) -> Any:
    """What the text of a model builds, up to the line that samples."""
    namespace: dict[str, Any] = {MODELS[name][1]: bmx.load_dataset(MODELS[name][1])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(text[: text.index(end)], namespace)
    return namespace["model"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["independent", "shares"])
def test_bambis_model_is_to_bambi(name: str) -> None:
    pytest.importorskip("bambi")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = built(model_of(name).code("bambi"), name, "fit = model.fit()")
        model.build()
        ours, theirs = model_of(name).to_bambi().backend.model, model.backend.model
    assert {one.name for one in ours.free_RVs} == {one.name for one in theirs.free_RVs}
    point = ours.initial_point()
    for shift in (0.0, 0.1):
        at = {key: value + shift for key, value in point.items()}
        assert float(theirs.compile_logp(mode=MODE)(at)) == pytest.approx(
            float(ours.compile_logp(mode=MODE)(at)), rel=1e-7
        )


def carried(at: dict[str, Any], model: bmx.Model) -> tuple[dict[str, Any], float]:
    """A point of `to_pymc` as one of the printed model, and the logarithm of the change of volume.

    Covariances of two effects are told there by their Cholesky factor, packed, with logarithms on the diagonal.
    """
    names = [name.replace("(centred)", "_centred") for name in model.priors.names]
    there: dict[str, Any] = dict(zip(names, at["fixef_centred"], strict=True))
    there |= {key: own for key, own in at.items() if key in {"sigma_log__", "shape_log__"}}
    volume = 0.0
    for term in model.design.terms:
        label = term.group.replace(":", "_")
        order = np.argsort(np.array(term.levels))
        sd, z = np.exp(np.ravel(at[f"sd_free_{term.group}_log__"])), at[f"z_{term.group}"][order]
        there[f"z_{label}"] = z if len(sd) > 1 else z[:, 0]
        if len(sd) == 1:
            there[f"sd_{label}_log__"] = np.log(sd[0])
            continue
        r = 2.0 / (1.0 + np.exp(-at[f"lkj_{term.group}_logodds__"][0])) - 1.0
        rest = np.sqrt(1.0 - r**2)
        there[f"{label}_cholesky-cov-packed__"] = np.array([np.log(sd[0]), sd[1] * r, np.log(sd[1] * rest)])
        volume += float(np.log(2.0 * sd[1] / rest))
    return there, volume


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shares", "trials", "slopes", "weights", "products", "levels times a number"])
def test_pymcs_model_has_the_density_of_to_pymc(name: str) -> None:
    model = model_of(name)
    ours, rng = model.to_pymc(), np.random.default_rng(1)
    at = {key: own + 0.1 * rng.normal(size=np.shape(own)) for key, own in ours.initial_point().items()}
    there, volume = carried(at, model)
    theirs = built(model.code("pymc"), name, "    trace = pm.sample()")
    value = float(ours.compile_logp(jacobian=False, mode=MODE)(at))
    assert float(theirs.compile_logp(jacobian=False, mode=MODE)(there)) + volume == pytest.approx(value, rel=1e-8)
