"""One place fits again: what it returns, how often it fits, and that no other module runs an engine."""

from __future__ import annotations

import ast
import gc
import weakref
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from distributional import model_of

import bayesmix as bmx
from bayesmix.data.design.subset import split
from bayesmix.inference.sampling.draws import Schedule
from bayesmix.inference.sampling.marginal.sampler import Marginal
from bayesmix.results.fits import refit
from bayesmix.results.fits.refit import by_maximum_likelihood, estimate_again, restricted, sample_again

FORMULA = "Reaction ~ Days + (Days | Subject)"
PACKAGE = Path(bmx.__file__).parent

ENGINES = {
    "bayesmix.inference.estimation.estimate": {"estimate"},
    "bayesmix.inference.estimation.generalized": {"fit_generalized"},
    "bayesmix.inference.estimation.glm": {"fit_glm"},
    "bayesmix.inference.estimation.laplace_reml": {"restricted_estimate"},
    "bayesmix.inference.estimation.linear": {"fit_linear"},
    "bayesmix.inference.sampling.marginal.importance_correction": {"sample_generalized"},
    "bayesmix.inference.sampling.marginal.sampler": {"sample_marginal"},
    "bayesmix.inference.sampling.nuts.nuts": {"sample_nuts"},
    "bayesmix.inference.sampling.sample": {"sample"},
    "bayesmix.inference.sampling.variational": {"sample_approximation"},
}
RUN = {  # modules outside of inference that may run engines
    "results/fits/refit.py",
}
MAKE = {  # modules that may make records
    "results/fits/refit.py",
    "results/storage/fit_storage.py",  # reads them from files
}


def runs_engines(text: str) -> bool:
    """Whether a module imports a function that fits, or a module with one as a whole."""
    for node in _nodes(text) if any(module.rpartition(".")[0] in text for module in ENGINES) else ():
        if isinstance(node, ast.Import) and any(alias.name in ENGINES for alias in node.names):
            return True
        if isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            wholes = {f"{node.module}.{name}" for name in names}
            if names & ENGINES.get(str(node.module), set()) or wholes & ENGINES.keys():
                return True
    return False


@cache
def _nodes(text: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(text)))


def makes_records(text: str) -> bool:
    nodes = _nodes(text) if "EstimateRecord" in text or "PosteriorRecord" in text else ()
    calls = (node.func for node in nodes if isinstance(node, ast.Call))
    names = {getattr(func, "id", getattr(func, "attr", "")) for func in calls}
    return bool(names & {"EstimateRecord", "PosteriorRecord"})


def outside_of_inference() -> dict[str, str]:
    paths = (path.relative_to(PACKAGE).as_posix() for path in sorted(PACKAGE.rglob("*.py")))
    return {path: (PACKAGE / path).read_text(encoding="utf-8") for path in paths if not path.startswith("inference/")}


def test_no_other_module_fits_or_makes_records() -> None:
    modules = outside_of_inference()
    assert {path for path, text in modules.items() if runs_engines(text)} == RUN
    assert {path for path, text in modules.items() if makes_records(text)} == MAKE


def test_engines_are_where_the_rule_looks_for_them() -> None:
    for module, names in ENGINES.items():
        path = PACKAGE.parent / (module.replace(".", "/") + ".py")
        defined = {node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)}
        assert names <= defined
    assert runs_engines("def late():\n    from bayesmix.inference.sampling.sample import sample as draw")
    assert runs_engines("from bayesmix.inference.estimation import estimate")
    assert not runs_engines("from bayesmix.inference.sampling.sample import failure")
    assert makes_records("records.EstimateRecord(model, point)")


# ---- estimates --------------------------------------------------------------------------------------------------


def same_estimate(one, other) -> None:
    assert one.criterion == other.criterion
    assert type(one.point.method) is type(other.point.method)
    assert one.names == other.names
    for name in ("beta", "sd", "corr", "b"):
        for first, second in zip(getattr(one.values, name), getattr(other.values, name), strict=True):
            np.testing.assert_array_equal(first, second)
    assert one.values.dispersion == other.values.dispersion
    np.testing.assert_array_equal(one.point.beta_cov, other.point.beta_cov)


@pytest.mark.parametrize("name", ["sleepstudy", "sleepstudy weights", "penicillin", "dyestuff2"])
def test_a_reml_fit_again_by_maximum_likelihood(fitted, name) -> None:
    same_estimate(by_maximum_likelihood(fitted(name, "reml")), fitted(name, "ml"))


def test_a_reml_fit_of_several_predictors_again_by_maximum_likelihood() -> None:
    model = model_of("sleepstudy_sigma_days_reml")
    same_estimate(by_maximum_likelihood(model.estimate("reml")), model.estimate("ml"))


@pytest.mark.parametrize(("name", "method"), [("sleepstudy", "ml"), ("cbpp", "laplace"), ("cbpp", bmx.Agq(points=5))])
def test_a_likelihood_is_not_maximised_again(fitted, name, method) -> None:
    fit = fitted(name, method)
    assert by_maximum_likelihood(fit) is fit
    assert estimate_again(fit) is fit


def test_quadrature_after_laplace(fitted) -> None:
    same_estimate(estimate_again(fitted("cbpp"), bmx.Agq(points=5)), fitted("cbpp", bmx.Agq(points=5)))


def test_a_posterior_has_the_estimate_of_its_model(fitted, posterior_of) -> None:
    same_estimate(estimate_again(posterior_of("sleepstudy")), fitted("sleepstudy"))
    same_estimate(estimate_again(posterior_of("cbpp")), fitted("cbpp"))


def test_only_generalized_models_are_restricted_anew(fitted) -> None:
    assert restricted(fitted("sleepstudy")) is None
    found = restricted(fitted("cbpp"))
    assert found is not None
    assert found is restricted(fitted("cbpp"))
    # as REML's, larger than maximum likelihood's
    assert found.values.sd[0][0] > fitted("cbpp").values.sd[0][0]


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    """Calls of an engine, or of what resolves priors, in the module of refits."""
    calls, function = [], getattr(refit, name)

    def spy(*arguments, **options):
        calls.append(arguments)
        return function(*arguments, **options)

    monkeypatch.setattr(refit, name, spy)
    return calls


def test_tests_profiles_and_comparisons_share_one_refit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bmx.load_dataset("sleepstudy")
    small, large = (bmx.Model(f"Reaction ~ {text} + (1 | Subject)", data).estimate() for text in ("1", "Days"))
    calls = counted(monkeypatch, "estimate")
    first, second = bmx.anova(small, large), bmx.anova(large, small)
    large.confint(["Days"])
    assert len(calls) == 2  # one a model
    assert first.equals(second)


def test_a_refit_goes_with_its_fit() -> None:
    fit = bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff")).estimate()
    again = weakref.ref(by_maximum_likelihood(fit))
    gc.collect()
    assert again() is by_maximum_likelihood(fit)
    del fit
    gc.collect()
    assert again() is None


# ---- some of the rows -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows():
    """All rows, without a subject, and which those are."""
    data = bmx.load_dataset("sleepstudy")
    keep = (data["Subject"].astype(str) != "308").to_numpy()
    return data, data[keep], keep


@pytest.fixture(scope="module")
def posterior(rows):
    return bmx.Model(FORMULA, rows[0]).sample(draws=20, chains=2, seed=1, method="marginal", progress=False)


def test_an_estimate_of_some_rows_is_that_of_the_model_on_them(fitted, rows) -> None:
    kept, _ = split(fitted("sleepstudy").design, rows[2])
    again = estimate_again(fitted("sleepstudy"), design=kept)
    same_estimate(again, bmx.Model(FORMULA, rows[1]).estimate())
    assert again.design is kept


def test_a_posterior_of_some_rows_is_that_of_the_model_on_them(posterior, rows) -> None:
    kept, _ = split(posterior.design, rows[2])
    again = sample_again(posterior, Marginal(), Schedule(20, 2, 5), design=kept)
    model = bmx.Model(FORMULA, rows[1])
    expected = model.sample(draws=20, chains=2, seed=5, method="marginal", progress=False)
    np.testing.assert_array_equal(again.values.beta, expected.values.beta)
    np.testing.assert_array_equal(again.values.b[0], expected.values.b[0])
    assert str(again.priors) == str(model.priors)


def test_the_priors_of_the_whole_are_kept_where_asked(posterior, rows) -> None:
    """The mean of Days, where the intercept's prior is, is the same without a subject: the rest are scales."""
    kept, _ = split(posterior.design, rows[2])
    again = sample_again(posterior, Marginal(), Schedule(20, 2, 5), design=kept, priors=posterior.priors)
    assert again.priors is posterior.priors
    given = {name: prior for name, prior, _ in posterior.priors.rows()}
    model = bmx.Model(FORMULA, rows[1], priors=given)
    expected = model.sample(draws=20, chains=2, seed=5, method="marginal", progress=False)
    np.testing.assert_allclose(again.values.beta, expected.values.beta, rtol=1e-8)
    other = sample_again(posterior, Marginal(), Schedule(20, 2, 5), design=kept)
    assert not np.allclose(again.values.beta, other.values.beta, rtol=1e-8)


# ---- other draws and priors -------------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_and_resolves_no_prior(posterior, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, "resolve")
    again = sample_again(posterior, Marginal(), Schedule(20, 2, 1))
    np.testing.assert_array_equal(again.values.beta, posterior.values.beta)
    assert again.priors is posterior.priors
    assert not calls


def test_other_priors_are_resolved_once(posterior, rows, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, "resolve")
    model = bmx.Model(FORMULA, rows[0], priors="flat")
    again = sample_again(posterior, Marginal(), Schedule(20, 2, 7), spec=model.spec)
    expected = model.sample(draws=20, chains=2, seed=7, method="marginal", progress=False)
    np.testing.assert_array_equal(again.values.beta, expected.values.beta)
    assert again.priors.has_flat
    assert len(calls) == 1
