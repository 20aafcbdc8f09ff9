"""Arguments of other packages are answered by name; whole numbers are whole."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest

import bayesmix as bmx
from bayesmix.language.arguments import explained, whole_number
from bayesmix.language.families.registry import FAMILIES, find_family
from bayesmix.language.spellings import ARGUMENTS
from bayesmix.language.spellings import FAMILIES as OTHERS

FORMULA = "y ~ x + (1 | g)"


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"y": rng.normal(size=40), "x": rng.normal(size=40), "g": list("abcd") * 10}


@pytest.fixture(scope="module")
def model(data: dict[str, Any]) -> bmx.Model:
    return bmx.Model(FORMULA, data)


MODEL = {
    "REML": 'model.estimate("ml")',
    "nAGQ": "bmx.Agq(points=9)",
    "subset": 'data[data["x"] > 0]',
    "control": "The optimiser finds its own start",
    "dispformula": '["y ~ ...", "sigma ~ x"]',
    "ziformula": '"zi ~ x"]`, family="zero_inflated_poisson"',
    "prior": "priors={",
    "seed": "`Model` has no argument `seed`.",
    "na_action": "left out, with a warning",
    "sep": "bmx.read_data(path, sep=",
    "random_seed": "`model.sample(seed=1)`",  # "Write `seed=`", which a model does not take
    "iter": "`model.sample(draws=1000)`",
    "n_chains": "`model.sample(chains=4)`",
    "famly": "Did you mean `family`? Its arguments: formula, data, family, link",
}
SAMPLE = {
    "tune": "bmx.Nuts(tune=1000)",
    "warmup": "bmx.Nuts(tune=1000)",
    "random_seed": "Write `seed=`",
    "iter": "Write `draws=`",
    "n_samples": "Write `draws=`",
    "num_chains": "Write `chains=`",
    "cores": "there is nothing to set",
    "target_accept": "bmx.Nuts(target_accept=0.95)",
    "data": "`bmx.Model(formula, data)`",
    "prior": "Priors belong to the model",
    "drows": "Did you mean `draws`? Its arguments: draws, chains, seed, method, checkpoint, cache, progress.",
}
ESTIMATE = {
    "REML": "is REML = FALSE",
    "data": "Data belong to the model",
    "maxiter": "has no options",
    "nAGQ": "bmx.Agq(",
    "random_state": "`model.sample(seed=1)`",
}
FIT = {
    "predict": {
        "adjust": 'take `adjust="holm"`',
        "re_form": "`predict(groups=)`",
        "type": 'Write `kind="mean"`',
        "level": "Write `interval=0.95`",
    },
    "ranef": {"condVar": "`ranef_sd()`"},
    "parameters": {"hdi_prob": "`arviz.hdi(post, prob=0.95)`"},
    "simulate": {"nsim": "Write `simulate(n=...)`", "random_state": "Write `seed=`."},
    "marginal_means": {"bias_adjust": '`groups="average"`', "cov_reduce": 'at={"x": [0, 1]}'},
    "tidy": {"exponentiate": "numpy.exp"},
    "summary": {
        "ddf": 'Write `df="kenward-roger"`',
        "random_seed": "`model.sample(seed=1)`",
        "digits": "`summary` has no argument `digits`. Its arguments: df, vcov.",
    },
}


@pytest.mark.parametrize("name", MODEL)
def test_arguments_of_a_model(data: dict[str, Any], name: str) -> None:
    with pytest.raises(bmx.SpecError, match=f"`Model` has no argument `{name}`") as caught:
        bmx.Model(FORMULA, data, **{name: 1})
    assert MODEL[name] in str(caught.value)


@pytest.mark.parametrize(("verb", "name"), [*(("sample", n) for n in SAMPLE), *(("estimate", n) for n in ESTIMATE)])
def test_arguments_of_verbs(model: bmx.Model, verb: str, name: str) -> None:
    with pytest.raises(bmx.SpecError, match=f"`{verb}` has no argument `{name}`") as caught:
        getattr(model, verb)(**{name: 1})
    assert (SAMPLE if verb == "sample" else ESTIMATE)[name] in str(caught.value)


def test_arguments_of_fits_functions_and_records(model: bmx.Model) -> None:
    fit = model.estimate()
    for verb, names in FIT.items():
        for name, message in names.items():
            with pytest.raises(bmx.SpecError) as caught:
                getattr(fit, verb)(**{name: 1})
            assert message in str(caught.value)
    calls: list[Any] = [
        lambda: bmx.Agq(nodes=9),  # type: ignore[call-arg]
        lambda: bmx.Nuts(warmup=9),  # type: ignore[call-arg]
        lambda: bmx.compare(fit, level=0.9),  # type: ignore[call-arg]
        lambda: bmx.anova(fit, refit=False),  # type: ignore[call-arg]
        lambda: bmx.load("nowhere", name=1),  # type: ignore[call-arg]
        lambda: bmx.report(fit, format="pdf"),  # type: ignore[call-arg]
        lambda: bmx.plots.forest(fit, level=0.9),  # type: ignore[call-arg]
    ]
    for call in calls:
        with pytest.raises(bmx.SpecError, match="has no argument"):
            call()


def test_every_public_function_and_verb_explains_its_arguments() -> None:
    """But for those that take anything, as figures do."""
    verbs = {
        f"{kind.__name__}.{name}": inspect.getattr_static(kind, name)
        for kind in (bmx.Model, bmx.Estimate, bmx.Posterior, bmx.Comparison)
        for name in dir(kind)
        if not name.startswith("_")
    }
    functions = {name: getattr(bmx, name) for name in bmx.__all__} | verbs
    bare = [name for name, own in functions.items() if inspect.isfunction(own) and not hasattr(own, "__wrapped__")]
    assert bare == []


def test_the_tables_are_written_in_one_way() -> None:
    assert all(name == name.lower() and " " not in name for name in ARGUMENTS)  # looked up in lower case
    assert all(text.endswith((".", ")")) and "  " not in text for text in (*ARGUMENTS.values(), *OTHERS.values()))


WHOLE: dict[str, list[Any]] = {
    "seed": ["abc", 1.5, -1, True, [1]],
    "draws": ["x", 10.5],
    "chains": [2.5, "2"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WHOLE.items() for value in values])
def test_numbers_that_are_not_whole(model: bmx.Model, name: str, value: Any) -> None:
    with pytest.raises(bmx.SpecError, match=f"{name}="):
        model.sample(**{name: value})
    if name == "seed":
        with pytest.raises(bmx.SpecError, match="seed="):
            model.estimate().simulate(seed=value)
        with pytest.raises(bmx.SpecError, match="seed="):
            model.prior_predictive(10, value)


NOT_TAKEN: dict[str, tuple[Any, str]] = {
    "a share": (lambda model: bmx.Nuts(target_accept="x"), "target_accept='x': a number is needed"),
    "a truth value": (lambda model: bmx.Nuts(target_accept=True), "a number is needed"),
    "thinning": (lambda model: bmx.Marginal(thin=-3), "thin >= 1, not -3"),
    "a method": (lambda model: model.sample(method=3), "A sampling method is text"),
    "simulations": (lambda model: model.estimate().simulate(10**10), "so many responses of 40 rows would take 3.2 TB"),
    "a data set": (lambda model: bmx.load_dataset(3), "called by its name, not 3"),
    "a model file": (lambda model: bmx.load_model(None), "called by its name or path, not None"),
    "a file": (lambda model: bmx.read_data(3), "called by its path, not 3"),
    "one weight": (lambda model: bmx.Model(FORMULA, {"y": [1.0]}, weights=3), "one value a row, not 3"),
    "weights in columns": (lambda model: bmx.Model(FORMULA, {"y": [1]}, weights=np.ones((2, 2))), "several columns"),
}


@pytest.mark.parametrize("case", NOT_TAKEN)
def test_values_that_no_argument_takes(model: bmx.Model, case: str) -> None:
    call, message = NOT_TAKEN[case]
    with pytest.raises(bmx.BayesmixError) as caught:
        call(model)
    assert message in str(caught.value)


def test_whole_numbers_of_any_type() -> None:
    for value in (3, 3.0, np.int64(3), np.float64(3.0), np.uint8(3)):
        assert whole_number(value, "draws") == 3
        assert type(whole_number(value, "draws")) is int
    assert bmx.Agq(points=np.int64(5)) == bmx.Agq(5)  # type: ignore[arg-type]
    with pytest.raises(bmx.SpecError, match=r"points=2\.5: a whole number is needed"):
        bmx.Agq(points=2.5)  # type: ignore[arg-type]


def test_a_function_with_arguments_that_are_not_named_is_left_alone() -> None:
    @explained
    def plot(*fits: int, n: int = 1, **options: int) -> tuple[Any, ...]:
        """Draw."""
        return fits, n, options

    assert plot(1, 2, n=3.0, size=4) == ((1, 2), 3, {"size": 4})  # type: ignore[arg-type]
    assert plot.__doc__ == "Draw."


NOT_FAMILIES = {
    "compois": 'infinite sum. For counts that vary more than a Poisson distribution there are family="negbinomial"',
    "frechet": 'there are family="gamma", "lognormal", "weibull"',
    "dirichlet": 'For continuous shares there is family="beta"',
    "laplace": 'For heavy tails there is family="student"',
    "quasipoisson": "It has no likelihood",
    "poison": "Did you mean `poisson`?",
    'Gamma(link = "log")': 'Write family="gamma", link="log".',
    "binomial('probit')": 'Write family="binomial", link="probit".',
    "beta_family()": 'Write family="beta".',
    "gaulss": '"sigma ~ s(x)"',
}


@pytest.mark.parametrize("name", NOT_FAMILIES)
def test_families_of_other_packages(name: str) -> None:
    with pytest.raises(bmx.SpecError, match=re.escape(f"Family `{name}` does not exist")) as caught:
        find_family(name)
    assert NOT_FAMILIES[name] in str(caught.value)
    assert ("Did you mean" in str(caught.value)) == (name == "poison")


def test_no_family_is_refused_by_its_own_name() -> None:
    assert not FAMILIES.keys() & OTHERS.keys()


SPECIFICATIONS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "formula None": ({"formula": None}, bmx.FormulaError, "not NoneType"),
    "formula 42": ({"formula": 42}, bmx.FormulaError, "not int"),
    "formula list": ({"formula": []}, bmx.FormulaError, "There is no formula"),
    "formula tuple": ({"formula": ("y", "x")}, bmx.FormulaError, "there is no `~`"),
    "formula numbers": ({"formula": ["y ~ x", 3]}, bmx.FormulaError, "Each formula of a list is text, not int"),
    "family None": ({"family": None}, bmx.SpecError, "A family is one of the names gaussian"),
    "family number": ({"family": 3}, bmx.SpecError, "not int 3"),
    "link number": ({"link": 3}, bmx.SpecError, "A link is one of the names identity"),
    "priors number": ({"priors": 3}, bmx.SpecError, "priors is a preset"),
    "contrasts text": ({"contrasts": "sum"}, bmx.SpecError, "contrasts are"),
    "documented": ({"documented": 3}, bmx.SpecError, "documented"),
    "data None": ({"data": None}, bmx.DataError, "not NoneType"),
}


@pytest.mark.parametrize("case", SPECIFICATIONS)
def test_what_is_no_specification(data: dict[str, Any], case: str) -> None:
    given, error, message = SPECIFICATIONS[case]
    with pytest.raises(error) as caught:
        bmx.Model(**{"formula": FORMULA, "data": data, **given})
    assert message in str(caught.value)


def test_one_text_where_several_are_taken(model: bmx.Model) -> None:
    """Taken letter by letter before: no parameter `D` of "Days"."""
    fit = model.estimate()
    name = fit.names[-1]
    assert list(fit.tidy("fixed")["effect"].unique()) == ["fixed"]
    assert len(bmx.plots.forest(fit, parameters=name).axes) == len(bmx.plots.forest(fit, parameters=[name]).axes)


@pytest.mark.parametrize(
    ("given", "said"), [(3, "path=3: a path is needed"), ("x" * 5_000, "it is too long"), ("a\0b", "no file has such")]
)
def test_paths_are_names_that_a_file_can_have(given: Any, said: str) -> None:
    with pytest.raises(bmx.SpecError, match=said):
        bmx.load(given)
