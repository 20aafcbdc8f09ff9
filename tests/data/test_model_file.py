"""Model files: every figure of the document, checksums, and an error that names the place for everything misspelt."""

from __future__ import annotations

import json
import tomllib
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.data.model_file import load_model_file, model_names
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.language.formula.parse import parse
from bayesmix.results.comparison.document_check import Outcome, judge

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads((ROOT / "tests" / "reference" / "document.json").read_text(encoding="utf-8"))
CSV = "g,x,y\na,1,2.5\na,2,3.0\nb,1,1.5\nb,2,4.0\n"
CHECKSUM = sha256(CSV.encode()).hexdigest()
MINIMAL = f'formula = "y ~ x + (1 | g)"\n[data]\nfile = "d.csv"\nsha256 = "{CHECKSUM}"\n'


def flat(model):
    """Figures of the document by the names that model files use."""
    found = {
        name: model[name]
        for name in ("criterion", "AIC", "BIC", "logLik", "deviance", "df_resid", "n_obs")
        if name in model
    }
    found |= {f"n_groups({group})": count for group, count in model["n_groups"].items()}
    names = {"Q1": "1Q", "Q3": "3Q"}
    found |= {f"scaled_residuals({names.get(k, k)})": value for k, value in model["scaled_residuals"].items()}
    found |= model["varcorr"]
    for effect, figures in model["fixef"].items():
        found[effect] = figures["estimate"]
        found |= {f"{kind}({effect})": value for kind, value in figures.items() if kind != "estimate"}
    found |= {f"corr_fixef({pair})": value for pair, value in model["corr_fixef"].items()}
    for level, values in model["coef"]["agegp"].items():
        columns = model["coef"]["columns"]
        found |= {f"coef(agegp, {level}, {c})": value for c, value in zip(columns, values, strict=True)}
    return found


@pytest.fixture
def write(tmp_path):
    """Write a model file beside its data."""
    (tmp_path / "d.csv").write_text(CSV, encoding="utf-8", newline="\n")

    def write(text, name="m.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_wheel_holds_the_model_files():
    """Where `model_names` looks first: what an installed bayesmix has no other way to find."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    inside = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert inside == {"models": "bayesmix/models"}


def test_installed_model_files_are_found(tmp_path, monkeypatch):
    (tmp_path / "bayesmix" / "models").mkdir(parents=True)
    (tmp_path / "bayesmix" / "data").mkdir()
    (tmp_path / "bayesmix" / "models" / "mine.toml").write_text(MINIMAL, encoding="utf-8")
    monkeypatch.setattr("bayesmix.data.model_file.__file__", str(tmp_path / "bayesmix" / "data" / "model_file.py"))
    assert model_names() == ("mine",)
    assert load_model_file("mine").formula == "y ~ x + (1 | g)"


def test_shipped_model_files():
    assert model_names() == (
        *("cake", "cbpp", "dyestuff", "dyestuff2", "esoph_lmm", "esoph_poisson", "grouseticks", "inhaler"),
        *("insteval", "kidney", "pastes", "penicillin", "salamanders", "sleepstudy"),
        *("sleepstudy_independent", "sleepstudy_intercept", "verbagg", "wine"),
    )


@pytest.mark.parametrize("name", model_names())
def test_a_shipped_file_says_where_its_data_and_figures_are_from(name):
    file = load_model_file(name)
    assert file.name == name
    assert file.description
    assert file.data.description
    assert file.data.source
    assert file.data.licence
    assert file.document.title
    assert file.document.call
    assert file.document.accuracy
    assert set(file.data.units) <= set(file.load_data().columns)
    spec = make_spec(file.formula, file.family, file.link, file.priors)
    parameters = {parameter.name for response in spec.responses for parameter in response.family.parameters}
    for formula in [file.formula] if isinstance(file.formula, str) else file.formula:
        assert set(parse(formula).columns) <= {*file.data.units, *parameters}
    assert {"criterion", "AIC"} & {figure.name for figure in file.figures}


# model file -> case of tests/reference/lme4
CLASSICS = {
    "cake": "cake_factor_reml",
    "cbpp": "cbpp_laplace",
    "dyestuff": "dyestuff_reml",
    "dyestuff2": "dyestuff2_reml",
    "grouseticks": "grouseticks_c",
    "insteval": "insteval",
    "pastes": "pastes_reml",
    "penicillin": "penicillin_reml",
    "sleepstudy": "sleepstudy_corr",
    "sleepstudy_independent": "sleepstudy_uncorr",
    "sleepstudy_intercept": "sleepstudy_intercept",
    "verbagg": "verbagg",
}


@pytest.mark.parametrize("name", CLASSICS)
def test_figures_of_the_classics_are_the_reference(name, reference):
    given, file = reference(CLASSICS[name]), load_model_file(name)
    figures = {figure.name: figure for figure in file.figures}
    assert file.formula == given["formula"]
    assert figures["criterion"].value == pytest.approx(given["criterion"]["value"], abs=5e-5)
    for effect, row in given["fixef"].items():
        ours = effect.replace("(Intercept)", "Intercept")
        assert figures[ours].value == pytest.approx(row["estimate"], rel=1e-5)
        assert figures[f"std_error({ours})"].value == pytest.approx(row["se"], rel=1e-5)
    sizes = [size for term in given["varcorr"].values() for size in np.atleast_1d(term["sd"])]
    assert [f.value for name, f in figures.items() if name.startswith("sd(")] == pytest.approx(sizes, rel=1e-5)
    assert all(figure.tolerance in {0.0, 1e-4} for figure in file.figures)


# model file -> case of tests/reference/breadth/survey, and coefficients to look at: name, parameter, column
SURVEY = {
    "kidney": ("kidney_lognormal", "sexfemale", "mu", "sexfemale"),
    "salamanders": ("salamanders_zip", "zi_minedno", "zi", "minedno"),
}


@pytest.mark.parametrize("name", SURVEY)
def test_figures_of_the_survey_are_the_reference(name):
    folder = ROOT / "tests" / "reference" / "breadth" / "survey"
    case, coefficient, parameter, column = SURVEY[name]
    given, file = json.loads((folder / f"{case}.json").read_text(encoding="utf-8")), load_model_file(name)
    figures = {figure.name: figure.value for figure in file.figures}
    assert figures["criterion"] == pytest.approx(given["criterion"]["value"], abs=5e-5)
    one = given["predictors"][parameter][column]
    assert figures[coefficient] == pytest.approx(one["estimate"], rel=1e-5)
    assert figures[f"std_error({coefficient})"] == pytest.approx(one["se"], rel=1e-5)
    assert [figures[name] for name in figures if name.startswith("sd(")] == pytest.approx(
        [size for block in given["varcorr"] for size in block["sd"]], rel=1e-5
    )


REPRODUCED = (*CLASSICS, *SURVEY)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "insteval" else n for n in REPRODUCED]
)
def test_the_classics_are_reproduced(name):
    file = load_model_file(name)
    verdict = judge(file.figures, bmx.load_model(name).estimate(file.method))
    assert verdict.converged
    assert {check.name: check.ours for check in verdict.checks if check.outcome is not Outcome.OK} == {}


@pytest.mark.parametrize("name", sorted(DOCUMENT["models"]))
def test_every_figure_of_the_document_is_there(name):
    file = load_model_file(name)
    assert {figure.name: figure.value for figure in file.figures} == flat(DOCUMENT["models"][name])
    assert file.documented_parameters()["ncontrols"] == DOCUMENT["models"][name]["fixef"]["ncontrols"]["estimate"]
    assert file.document.call == DOCUMENT["models"][name]["call"]
    assert file.document.title == DOCUMENT["title"]


@pytest.mark.parametrize("name", ["esoph_lmm", "models/esoph_lmm.toml", "esoph_lmm.toml"])
def test_a_name_and_a_path_give_the_same_file(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert load_model_file(name) == load_model_file("esoph_lmm")


def test_digits_as_printed_set_the_rounding():
    figures = {figure.name: figure for figure in load_model_file("esoph_poisson").figures}
    assert figures["z_value(Intercept)"].rounding == pytest.approx(0.0005)  # 0.280
    assert figures["AIC"].rounding == pytest.approx(0.05)
    assert figures["AIC"].tolerance == figures["n_groups(agegp)"].tolerance == 0.0
    assert figures["Intercept"].tolerance == 1e-3


def test_standard_errors_of_glmer_are_marked_as_its_own_error(reference):
    known = {figure.name: figure.known for figure in load_model_file("esoph_poisson").figures if figure.known}
    true = reference("esoph_poisson")["fixef"]["ncontrols"]["se"]
    assert known["std_error(ncontrols)"].value == pytest.approx(true, rel=1e-6)
    assert "glmer's numerical error" in known["std_error(ncontrols)"].reason
    assert "\n" not in known["std_error(ncontrols)"].reason


def test_shipped_data_are_loaded_with_their_types():
    data = load_model_file("esoph_lmm").load_data()
    assert data["agegp"].cat.ordered
    assert len(data) == 88


def test_a_file_beside_the_model_file(write):
    file = load_model_file(write(MINIMAL))
    assert (file.name, file.family, file.link, file.method, file.figures) == ("m", "gaussian", None, "auto", ())
    assert file.data_name == "d.csv"
    assert Path(file.load_data()).read_text(encoding="utf-8") == CSV


def test_everything_that_can_be_said(write):
    text = f"""
        name = "other"
        description = "a model"
        formula = "y ~ x + (1 | g)"
        family = "gamma"
        link = "inverse"
        method = "laplace"
        weights = "w"
        offset = "o"
        [priors]
        "sd(g)" = "HalfNormal(2)"
        [data]
        file = "d.csv"
        sha256 = "{CHECKSUM.upper()}"
        source = "somewhere"
        licence = "CC0"
        units = {{ x = "m" }}
        [document]
        title = "t"
        source = "https://example.org"
        tolerance = 0.01
        figures.parameters = {{ x = 1.50, "sd(g, Intercept)" = 3 }}
        figures.df.x = 4.8
        [[document.known]]
        reason = '''because
            of this'''
        tolerance = 1e-2
        values = {{ x = 1.6 }}
    """
    file = load_model_file(write(text))
    assert (file.name, file.family, file.link, file.weights, file.offset) == ("other", "gamma", "inverse", "w", "o")
    assert file.priors == {"sd(g)": "HalfNormal(2)"}
    assert file.data.units == {"x": "m"}
    assert file.document.source == "https://example.org"
    x, sd, df = file.figures
    assert (x.name, x.value, x.rounding, x.tolerance) == ("x", 1.5, pytest.approx(0.005), 0.01)
    assert (x.known.value, x.known.tolerance, x.known.reason) == (1.6, 0.01, "because of this")
    assert (sd.name, sd.value, sd.rounding, sd.known) == ("sd(g, Intercept)", 3.0, 0.5, None)
    assert df.name == "df(x)"
    assert file.load_data()


SEVERAL = """
formula = ["a ~ x + (1 | p | g)", "sigma_a ~ x", "b ~ x + (1 | p | g)"]
rescor = true
[family]
a = "gaussian"
b = "gaussian"
[link]
sigma_a = "log"
"""


def test_formulas_families_and_links_of_several_responses(write):
    file = load_model_file(write(SEVERAL + MINIMAL.split("\n", 1)[1]))
    assert file.formula == ("a ~ x + (1 | p | g)", "sigma_a ~ x", "b ~ x + (1 | p | g)")
    assert file.text == "a ~ x + (1 | p | g); sigma_a ~ x; b ~ x + (1 | p | g)"
    assert file.family == {"a": "gaussian", "b": "gaussian"}
    assert file.link == {"sigma_a": "log"}
    assert file.rescor is True
    spec = make_spec(file.formula, file.family, file.link, file.priors, rescor=file.rescor)
    assert spec == make_spec(file.text, "gaussian", None, None, rescor=True)


def test_starts_of_nonlinear_parameters(write):
    text = 'formula = ["y ~ a * exp(-k * x)", "a ~ 1 + (1 | g)", "k ~ 1"]\nstart = { a = 2, k = 0.5 }\n'
    assert load_model_file(write(text + MINIMAL.split("\n", 1)[1])).start == {"a": 2.0, "k": 0.5}
    with pytest.raises(bmx.SpecError, match="start of `a` is a number, not 'much'"):
        load_model_file(write(text.replace("a = 2", 'a = "much"') + MINIMAL.split("\n", 1)[1]))


def test_one_formula_is_a_text(write):
    file = load_model_file(write(MINIMAL))
    assert file.formula == file.text == "y ~ x + (1 | g)"
    assert file.rescor is False


def test_a_preset_of_priors_is_a_word(write):
    assert load_model_file(write('priors = "flat"\n' + MINIMAL)).priors == "flat"


FIGURES = MINIMAL + "[document.figures]\n"
ERRORS = {  # what is wrong: text, message
    "syntax": ('formula = "y\nfamily = 3', r"m\.toml is not TOML: .*line 1"),
    "unknown key": (
        'formla = "y ~ x"\n' + MINIMAL,
        r"m\.toml: The file has an unknown key `formla`\. Did you mean `formula`\?",
    ),
    "unknown key of the data": (
        MINIMAL + 'license = "CC0"\n',
        r"\[data\] has an unknown key `license`\. Did you mean `licence`\?",
    ),
    "unknown key of the document": (
        MINIMAL + "[document]\ntitel = 1\n",
        r"\[document\] .*`titel`\. Did you mean `title`\?",
    ),
    "unknown figure": (
        FIGURES + "criterium = 3.0\n",
        r"\[document.figures\] .*`criterium`\. Did you mean `criterion`\?",
    ),
    "no formula": (MINIMAL.split("\n", 1)[1], r"needs a formula"),
    "number for a formula": (MINIMAL.replace('"y ~ x + (1 | g)"', "3"), r"`formula` is text, as in formula"),
    "number among formulas": (
        MINIMAL.replace('"y ~ x + (1 | g)"', '["y ~ x", 3]'),
        r"a list of formulas is one of texts",
    ),
    "number among families": (MINIMAL + "[family]\ny = 3\n", r"\[family\]: `y` is text"),
    "word for a truth value": ('rescor = "yes"\n' + MINIMAL, r"`rescor` is true or false, not 'yes'"),
    "number for priors": ("priors = 3\n" + MINIMAL, r"`priors` is text"),
    "number for text": ("family = 3\n" + MINIMAL, r"`family` is text, as in family = \"\.\.\.\", not 3"),
    "text for a number": (FIGURES + 'criterion = "3"\n', r"Figure `criterion` is a number, not '3'"),
    "truth value for a number": (FIGURES + "parameters.x = true\n", r"Figure `x` is a number, not True"),
    "number for a table": (FIGURES + "parameters = 3\n", r"`parameters` is a table"),
    "coefficient without effect": (FIGURES + "coef.g.a = 3\n", r"coef\.g\]: write `a = \{ Intercept = 1\.2 \}`"),
    "no data": ('formula = "y ~ x + (1 | g)"\n', r"\[data\] needs either `dataset"),
    "two data": (MINIMAL + 'dataset = "esoph"\n', r"\[data\] needs either `dataset"),
    "no checksum": (MINIMAL.replace("sha256", "#"), r"\[data\] needs `sha256`"),
    "known without reason": (FIGURES + "AIC = 3\n[[document.known]]\nvalues.AIC = 2\n", r"needs a `reason`"),
    "known of nothing": (
        FIGURES + 'AIC = 3\n[[document.known]]\nreason = "r"\nvalues.BIC = 2\n',
        r"\[document\.known\.values\] has an unknown key `BIC`",
    ),
    "known as a table": (
        MINIMAL + '[document.known]\nreason = "r"\n',
        r"written as tables of a list, \[\[document\.known\]\]",
    ),
}


# files of strangers: each was tried on the command line, and ended in a traceback or in a file elsewhere
HOSTILE = {
    "another encoding": ((MINIMAL + 'description = "\xe9"').encode("latin1"), r"is not TOML: 'utf-8' codec"),
    "nesting": (b"a = " + b"[" * 100_000, r"is not TOML: nested too deeply"),
    "nested keys": (b".".join([b"a"] * 40) + b" = 1", r"unknown key `a`"),
    "deeply nested keys": (b".".join([b"a"] * 5000) + b" = 1", r"is not TOML: nested too deeply"),
    "long numbers": ((FIGURES + "n_obs = " + "9" * 5000).encode(), r"is not TOML: Exceeds the limit"),
    "size": (b"#" * 1_000_001, r"has more than 1000000 bytes"),
    "no file": (MINIMAL.replace("d.csv", "a" * 5000).encode(), r"cannot be read: File name too long"),
    "device": (MINIMAL.replace("d.csv", "/dev/zero").encode(), r"There is no data file `/dev/zero`"),
    "terminal codes": (('description = "\\u001b[2J"\n' + MINIMAL).encode(), r"control characters: '\\x1b\[2J'"),
    "terminal codes in keys": (('"\\u001b[2J" = "x"\n' + MINIMAL).encode(), r"control characters: '\\x1b\[2J'"),
    "path for a name": (('name = "../x"\n' + MINIMAL).encode(), r"`name` is made of letters, digits and `_-\.`"),
    "no checksum": (MINIMAL.replace(CHECKSUM, "0").encode(), r"`sha256` has 64 hexadecimal digits"),
    "known of a number": ((FIGURES + "AIC = 3\n[document]\nknown = [3]").encode(), r"is a table of reason and values"),
    "reason of a number": (
        (FIGURES + "AIC = 3\n[[document.known]]\nreason = 3").encode(),
        r"needs a `reason` that says why",
    ),
    "infinite tolerance": ((MINIMAL + "[document]\ntolerance = inf\nfigures.AIC = 3").encode(), r"a finite number"),
    "any tolerance": ((MINIMAL + "[document]\ntolerance = 1.0\nfigures.AIC = 3").encode(), r"from 0 to below 1, not 1"),
    "any known tolerance": (
        (FIGURES + 'AIC = 3\n[[document.known]]\nreason = "r"\ntolerance = 9.0\nvalues.AIC = 2').encode(),
        r"`tolerance` of \[\[document\.known\]\] is relative, from 0 to below 1, not 9",
    ),
    **{
        f"figure {value}": ((FIGURES + f"AIC = {value}").encode(), r"Figure `AIC` is a finite number")
        for value in ("nan", "-inf", "1e400", "1e-999999999", "1e999999999999", "9" * 400)
    },
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_can_only_fail(kind, write):
    content, message = HOSTILE[kind]
    path = write("")
    path.write_bytes(content)
    with pytest.raises((bmx.SpecError, bmx.DataError), match=message):
        load_model_file(path).load_data()


@pytest.mark.parametrize("wrong", ERRORS)
def test_errors_name_the_place_and_the_nearest_key(wrong, write):
    text, message = ERRORS[wrong]
    with pytest.raises(bmx.SpecError, match=message):
        load_model_file(write(text))


@pytest.mark.parametrize("name", ["esoph_lm", "missing/esoph_lm.toml"])
def test_a_model_file_that_is_not_there(name):
    with pytest.raises(bmx.SpecError, match=r"Did you mean `esoph_lmm`\?.*: cake, .*, esoph_lmm, .*, wine\."):
        load_model_file(name)


def test_other_data_than_those_of_the_checksum(write):
    path = write(MINIMAL)
    (path.parent / "d.csv").write_text(CSV + "b,3,5.0\n", encoding="utf-8", newline="\n")
    with pytest.raises(bmx.DataError, match=f"checksum is [0-9a-f]{{64}}, the file says {CHECKSUM}"):
        load_model_file(path).load_data()


def test_data_that_are_not_there(write):
    path = write(MINIMAL)
    (path.parent / "d.csv").unlink()
    with pytest.raises(bmx.DataError, match="There is no data file"):
        load_model_file(path).load_data()
    shipped = write(f'formula = "y ~ x"\n[data]\ndataset = "esof"\nsha256 = "{CHECKSUM}"\n')
    with pytest.raises(bmx.SpecError, match="Did you mean `esoph`"):
        load_model_file(shipped).load_data()


def test_the_model_of_a_model_file(write):
    model = bmx.load_model("esoph_poisson")
    assert model.spec.family.name == "poisson"
    assert model.data_name == "esoph"
    assert model.documented["sd(agegp, ncontrols)"] == 0.01797
    assert bmx.load_model(str(write(MINIMAL))).design.response == "y"
