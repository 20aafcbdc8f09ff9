"""The marginal posterior: against PyMC's compiled density, dense formulas, Stan's posteriors and REML."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import AS_WRITTEN
from marginal_models import DESIGNS, RELATION, model_of, point_of, points, simulated, stated, target_of
from scipy import stats

import bayesmix as bmx
from bayesmix.errors import SpecError
from bayesmix.inference.parameters.correlation import Free
from bayesmix.inference.parameters.covariance import Unstructured
from bayesmix.inference.parameters.unconstrained import TermCoordinates
from bayesmix.inference.sampling.marginal.independence_metropolis import find_mode
from bayesmix.inference.sampling.marginal.marginal_posterior import MarginalPosterior, marginal_posterior
from bayesmix.inference.sampling.marginal.sampler import draw_effects, draw_fixed

STAN = Path(__file__).parents[3] / "reference" / "stan"

EXACT = 1e-8  # two ways to the same density, floating point apart
MCSE = 4.0  # combined Monte Carlo standard errors that two samplers may differ by, any parameter


def conditional(model: bmx.Model, sds: list[Any], roots: list[Any], sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Dense mean and precision of (gamma, b) given the rest: independent of the elimination."""
    design, priors = stated(model), model.priors
    Z = []
    for term in design.terms:
        dense = np.zeros((len(design.y), len(term.levels), len(term.effects)))
        np.add.at(dense, (np.tile(np.arange(len(design.y)), term.slots), term.codes), term.z)
        Z.append(dense.reshape(len(design.y), -1))
    XZ = np.hstack([design.X @ np.linalg.inv(priors.contrast), *Z])
    p = design.X.shape[1]
    precision = (XZ.T * design.weights) @ XZ / sigma**2
    h = XZ.T @ (design.weights * (design.y - design.offset)) / sigma**2
    for j, prior in enumerate(priors.fixed):
        if prior.kind == "Normal":
            precision[j, j] += prior.arguments[1] ** -2.0
            h[j] += prior.arguments[0] * prior.arguments[1] ** -2.0
    offset = p
    for term, sd, root in zip(design.terms, sds, roots, strict=True):
        inverse = np.linalg.inv((sd[:, None] * root) @ (sd[:, None] * root).T)
        block = slice(offset, offset := offset + len(term.levels) * len(sd))
        precision[block, block] += np.kron(np.linalg.inv(among_levels(term)), inverse)
    return np.linalg.solve(precision, h), precision


def among_levels(term: Any) -> np.ndarray:
    """Covariance of the levels of a term."""
    return np.eye(len(term.levels)) if term.relation is None else np.asarray(RELATION)


@pytest.mark.parametrize("name", DESIGNS)
def test_marginal_times_conditional_is_pymcs_joint_density(name: str) -> None:
    model = model_of(name)
    target = target_of(model)
    with model.to_pymc() as compiled:
        density = compiled.compile_logp(jacobian=False, mode=AS_WRITTEN)
    rng = np.random.default_rng(8)
    for theta in points(target, model, 3):
        own, log_sigma, gamma_explored = target.parts(theta)
        sigma = float(np.exp(log_sigma))
        unpacked = [coordinates.unpack(x) for coordinates, x in zip(target.terms, own, strict=True)]
        sds, roots = [sd * sigma for sd, _ in unpacked], [root for _, root in unpacked]
        mean, precision = conditional(model, sds, roots, sigma)
        p, explored = len(model.design.fixed), target.explored
        free = np.concatenate([~explored, np.ones(len(mean) - p, bool)])
        value = mean + rng.standard_normal(len(mean)) * 0.1
        value[:p][explored] = gamma_explored
        # the Gaussian conditional given the explored coefficients
        inner = precision[np.ix_(free, free)]
        shift = np.linalg.solve(inner, precision[np.ix_(free, ~free)] @ (value - mean)[~free])
        residual = (value - mean)[free] + shift
        log_conditional = 0.5 * np.linalg.slogdet(inner / (2.0 * np.pi))[1] - 0.5 * residual @ inner @ residual
        jacobian = sum(c.log_jacobian(x) for c, x in zip(target.terms, own, strict=True)) + log_sigma
        jacobian += log_sigma * sum(c.n_sd for c in target.terms)
        ours = float(target(theta[None])[0]) - float(jacobian) + log_conditional
        point, change = pymc_point(model, target, value, sds, roots, own, sigma)
        assert float(density(point)) == pytest.approx(ours + change, rel=EXACT, abs=EXACT)


def pymc_point(
    model: bmx.Model, target: MarginalPosterior, value: np.ndarray, sds: Any, roots: Any, own: Any, sigma: float
) -> tuple[dict[str, Any], float]:
    """Free variables of the PyMC model, and the log volume change from (b, partial) to (z, (1 + partial) / 2)."""
    design, priors = model.design, model.priors
    p = len(design.fixed)
    kinds = dict.fromkeys(prior.kind for prior in priors.fixed)
    point: dict[str, Any] = {"sigma": np.array(sigma)}
    for kind in kinds:
        suffix = "" if len(kinds) == 1 else f"_{kind.lower()}"
        point[f"fixef_centred{suffix}"] = value[:p][[prior.kind == kind for prior in priors.fixed]]
    change, offset = 0.0, p
    labels: dict[str, int] = {}
    for term, sd, root, coordinates, x in zip(design.terms, sds, roots, target.terms, own, strict=True):
        number = labels.get(term.group, 0)
        labels[term.group] = number + 1
        label = term.group + (f".{number}" if number else "")
        k, J = len(sd), len(term.levels)
        scaled = sd[:, None] * root
        b = value[offset : offset + J * k].reshape(J, k)
        offset += J * k
        root_of_levels = np.linalg.cholesky(among_levels(term))
        point[f"z_{label}"] = np.linalg.solve(root_of_levels, np.linalg.solve(scaled, b.T).T)
        change += J * np.linalg.slogdet(scaled)[1] + k * np.linalg.slogdet(root_of_levels)[1]
        point[f"sd_free_{label}"] = sd if coordinates.n_sd > 1 else np.array(sd[0])
        if coordinates.size > coordinates.n_sd:
            partial = np.tanh(x[coordinates.n_sd :])
            point[f"lkj_{label}"] = 0.5 * (1.0 + partial)
            change += len(partial) * np.log(2.0)
    return transformed(point), change


def transformed(point: dict[str, Any]) -> dict[str, Any]:
    """Values of PyMC's unconstrained variables: logarithms of scales, log odds of the halved correlations."""
    values = {}
    for name, value in point.items():
        if name.startswith(("sd_free", "sigma")):
            values[f"{name}_log__"] = np.log(value)
        elif name.startswith("lkj_"):
            values[f"{name}_logodds__"] = np.log(value) - np.log1p(-value)
        else:
            values[name] = value
    return values


@pytest.mark.parametrize("name", ["correlated", "crossed", "related", "memberships", "explored slope"])
def test_effects_given_theta_have_the_dense_mean_and_covariance(name: str) -> None:
    model = model_of(name)
    target = target_of(model)
    theta = points(target, model, 1)[0]
    n = 40_000
    repeated, rng = np.tile(theta, (n, 1)), np.random.default_rng(1)
    shift = draw_fixed(target, repeated, rng)
    b = draw_effects(target, repeated, shift, rng)
    beta = (target.problem.beta_ols + shift) @ target.problem.coordinates.T.T
    own, log_sigma, explored = target.parts(theta)
    unpacked = [coordinates.unpack(x) for coordinates, x in zip(target.terms, own, strict=True)]
    sigma = float(np.exp(log_sigma))
    mean, precision = conditional(model, [sd * sigma for sd, _ in unpacked], [root for _, root in unpacked], sigma)
    p = len(model.design.fixed)
    draws = np.column_stack([beta @ model.priors.contrast.T, *[part.reshape(n, -1) for part in b]])
    free = np.concatenate([~target.explored, np.ones(len(mean) - p, bool)])
    inner = precision[np.ix_(free, free)]
    fixed = np.zeros(len(mean))
    fixed[:p][target.explored] = explored
    expected = mean[free] - np.linalg.solve(inner, precision[np.ix_(free, ~free)] @ (fixed - mean)[~free])
    sd = np.sqrt(np.diagonal(np.linalg.inv(inner)))
    np.testing.assert_array_less(np.abs(draws[:, free].mean(axis=0) - expected) / sd, 5.0 / np.sqrt(n))
    np.testing.assert_allclose(draws[:, free].std(axis=0) / sd, 1.0, atol=5.0 / np.sqrt(2.0 * n))
    correlation = np.linalg.inv(inner) / np.outer(sd, sd)
    np.testing.assert_allclose(np.corrcoef(draws[:, free].T), correlation, atol=5.5 / np.sqrt(n))


@pytest.mark.parametrize(
    ("formula", "dataset"),
    [
        ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
        ("ncases ~ ncontrols + (ncontrols | agegp)", "esoph"),
        ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
    ],
)
def test_mode_under_flat_priors_is_reml(formula: str, dataset: str) -> None:
    model = bmx.Model(formula, bmx.load_dataset(dataset), priors="flat")
    reml = model.estimate()
    target = marginal_posterior(model.design, model.priors, reml.point)

    def density_of_natural_parameters(theta: np.ndarray) -> np.ndarray:
        own, log_sigma, _ = target.parts(theta)
        jacobian = sum(c.log_jacobian(x) for c, x in zip(target.terms, own, strict=True)) + log_sigma
        return target(theta) - jacobian - log_sigma * sum(c.k for c in target.terms)

    mode, _, _ = find_mode(density_of_natural_parameters, target.start(reml.point) + 0.05)
    own, log_sigma, _ = target.parts(mode)
    for coordinates, x, sd, corr in zip(target.terms, own, reml.values.sd, reml.values.corr, strict=True):
        ours, root = coordinates.unpack(x)
        np.testing.assert_allclose(ours * np.exp(log_sigma), sd, rtol=1e-4)
        np.testing.assert_allclose(root @ root.T, corr, atol=1e-4)
    assert np.exp(log_sigma) == pytest.approx(float(reml.values.dispersion), rel=1e-4)


# ---- Stan -------------------------------------------------------------------------------------------------------

LINEAR = {
    "esoph_lmm": "ncases ~ ncontrols + (ncontrols | agegp)",
    "sleepstudy_corr": "Reaction ~ Days + (Days | Subject)",
    "dyestuff": "Yield ~ 1 + (1 | Batch)",
    "dyestuff2": "Yield ~ 1 + (1 | Batch)",
    "pastes": "strength ~ 1 + (1 | batch/cask)",
    "penicillin": "diameter ~ 1 + (1 | plate) + (1 | sample)",
}
KINDS = {
    "normal": ("Normal", ("mu", "sigma")),
    "half_normal": ("HalfNormal", ("sigma",)),
    "half_student_t": ("HalfStudentT", ("nu", "sigma")),
    "exponential": ("Exponential", ("rate",)),
    "lkj": ("LKJ", ("eta",)),
}


def prior_of(entry: dict[str, Any]) -> tuple[str, str]:
    """Our name and text of a prior as recorded."""
    kind, arguments = KINDS[entry["distribution"]]
    text = f"{kind}({', '.join(str(entry[argument]) for argument in arguments)})"
    parameter = entry["parameter"]
    if parameter.startswith("sd_(every"):
        return "sd", text
    if parameter.startswith("sd_"):
        group, effect = parameter.removeprefix("sd_").split("__")
        return f"sd({group}, {effect})", text
    if parameter.startswith("cor_"):
        return f"corr({parameter.removeprefix('cor_')})", text
    return parameter.removeprefix("b_"), text


def stan_name(name: str) -> str:
    """Stan's name of one of our parameters."""
    inside = name[name.find("(") + 1 : -1].replace(", ", "__").replace("cask:batch", "batch:cask")
    if name.startswith("sd("):
        return f"sd_{inside}"
    if name.startswith("corr("):
        return f"cor_{inside}"
    return name if name == "sigma" else f"b_{name}"


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case == "esoph_lmm" else pytest.mark.slow) for case in LINEAR]
)
def test_posterior_is_stans(case: str) -> None:
    given = json.loads((STAN / f"{case}.json").read_text(encoding="utf-8"))
    priors = dict(prior_of(entry) for entry in given["priors"])
    model = bmx.Model(LINEAR[case], bmx.load_dataset(given["data"]), priors=priors)
    post = model.sample(draws=8000, chains=4, seed=2, method="marginal")
    table = post.parameters()
    flat = dict(zip(post.names, np.moveaxis(flat_draws(post), -1, 0), strict=True))
    for name in post.names:
        expected = given["parameters"][stan_name(name)]
        ess = table.loc[name, "ess_bulk"]
        mean_error = np.hypot(flat[name].std() / np.sqrt(ess), expected["mcse_mean"])
        assert abs(flat[name].mean() - expected["mean"]) < MCSE * mean_error, name
        # heavy tails: the error of an SD from its fourth moment
        kurtosis = float(stats.kurtosis(flat[name].ravel(), fisher=False))
        sd_error = np.hypot(flat[name].std() * np.sqrt((kurtosis - 1.0) / 4.0 / ess), expected["mcse_sd"])
        assert abs(flat[name].std() - expected["sd"]) < MCSE * sd_error, name
        for probability, quantile in expected["quantiles"].items():
            own = np.percentile(flat[name], float(probability))
            p = float(probability) / 100.0
            width = np.diff(np.percentile(flat[name], [100 * max(p - 0.01, 0.002), 100 * min(p + 0.01, 0.998)]))[0]
            slope = width / (min(p + 0.01, 0.998) - max(p - 0.01, 0.002))
            own_error = slope * np.sqrt(p * (1.0 - p) / (0.5 * ess))
            error = np.hypot(own_error, expected["mcse_quantiles"][probability])
            assert abs(own - quantile) < MCSE * error, (name, probability)
    for group, levels in post.ranef().items():
        for level, row in levels.iterrows():
            for effect, value in row.items():
                expected = stan_effect(given, group, str(level), str(effect))
                error = np.hypot(expected["sd"] / np.sqrt(10_000), expected["mcse_mean"])
                assert abs(value - expected["mean"]) < (MCSE + 1.0) * error, (group, level, effect)


def flat_draws(post: bmx.Posterior) -> np.ndarray:
    from bayesmix.results.fits.linear_predictor import flatten

    return flatten(post.design, post.values)


def stan_effect(given: dict[str, Any], group: str, level: str, effect: str) -> dict[str, float]:
    if group == "cask:batch":
        cask, batch = level.split(":")
        group, level = "batch:cask", f"{batch}_{cask}"
    cleaned = level.replace(" ", ".")
    return given["parameters"][f"r_{group}[{cleaned},{effect}]"]


@pytest.mark.parametrize("case", LINEAR)
def test_log_likelihood_at_stans_points(case: str) -> None:
    given = json.loads((STAN / f"{case}.json").read_text(encoding="utf-8"))
    model = bmx.Model(LINEAR[case], bmx.load_dataset(given["data"]))
    design = model.design
    from bayesmix.inference.parameters.names import Parameters
    from bayesmix.results.fits.linear_predictor import linear_predictor, log_likelihood

    for entry in given["log_lik_points"]["points"]:
        at = entry["parameters"]
        values = Parameters(
            beta=np.array([at[f"b_{name}"] for name in design.fixed]),
            sd=tuple(np.ones(len(term.effects)) for term in design.terms),
            corr=tuple(np.eye(len(term.effects)) for term in design.terms),
            b=tuple(
                np.array(
                    [
                        [stan_effect({"parameters": at}, term.group, level, effect) for effect in term.effects]
                        for level in term.levels
                    ]
                )
                for term in design.terms
            ),
            dispersion=np.array(at["sigma"]),
        )
        eta = linear_predictor(design.X, design.offset, design.terms, values)
        total = log_likelihood(design, model.spec, values, eta).sum()
        recorded = next(value for key, value in entry.items() if key.startswith("log_lik"))
        assert total == pytest.approx(recorded, rel=1e-7)


# ---- rounding --------------------------------------------------------------------------------------------------------


def test_where_rounding_is_all_that_is_left_there_is_no_density() -> None:
    """Intercept of nested effects as good as free, sigma next to nothing: squares of 1e33 that cancel."""
    model = bmx.Model(LINEAR["pastes"], bmx.load_dataset("Pastes"))
    target = marginal_posterior(model.design, model.priors, model.estimate().point)
    far = np.array([[52.73453229, -32.14557886, -36.79269953], [50.0, 3.0, -35.0], [40.0, -10.0, -36.0]])
    assert np.all(target(far) < target(target.start(model.estimate().point)[None]) - 1000.0)


# ---- the pieces -------------------------------------------------------------------------------------------------


def test_bent_coordinates_go_back_and_forth() -> None:
    coordinates = TermCoordinates(Unstructured(Free(3)), detection_limits=(0.3, 0.1, 2.0))
    rng = np.random.default_rng(0)
    root = np.tril(rng.normal(size=(3, 3)))
    covariance = root @ root.T + 0.1 * np.eye(3)
    sd, factor = coordinates.unpack(coordinates.pack(covariance))
    scaled = sd[:, None] * factor
    np.testing.assert_allclose(np.sqrt(np.diagonal(scaled @ scaled.T)), np.sqrt(np.diagonal(covariance)), rtol=1e-9)


def test_jacobian_of_bent_coordinates() -> None:
    coordinates = TermCoordinates(Unstructured(Free(2)), detection_limits=(0.5, 3.0))
    x = np.array([-1.2, 0.7, 0.4])

    def natural(at: np.ndarray) -> np.ndarray:
        return np.append(coordinates.unpack(at)[0], np.tanh(at[2]))

    step = 1e-6
    jacobian = np.array([(natural(x + e) - natural(x - e)) / (2 * step) for e in step * np.eye(3)])
    assert float(coordinates.log_jacobian(x)) == pytest.approx(np.linalg.slogdet(jacobian)[1], abs=1e-8)


def test_the_same_seed_gives_the_same_draws() -> None:
    model = model_of("correlated")
    first, second, other = (model.sample(draws=50, chains=2, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.values.beta, second.values.beta)
    np.testing.assert_array_equal(first.values.b[0], second.values.b[0])
    assert not np.array_equal(first.values.beta, other.values.beta)


def test_auto_takes_the_marginal_sampler_and_certifies_it() -> None:
    post = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy")).sample(seed=1)
    assert post.method == "marginal"
    assert post.draws.certificate["pareto_k"] < 0.7
    assert post.draws.certificate["acceptance"] > 0.2
    assert post.converged


def test_flat_priors_with_too_few_levels_are_refused() -> None:
    data = simulated()
    data["two"] = ["a" if label in {"g0", "g1"} else "b" for label in data["g"]]
    model = bmx.Model("y ~ x + (1 | two)", data, priors="flat")
    with pytest.raises(SpecError, match=r"improper.*HalfStudentT"):
        model.sample(method="marginal")


@pytest.mark.slow
def test_polynomials_stand_in_for_factorisations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forced on a design where factorisations are cheap, so that both can be sampled."""
    rng = np.random.default_rng(6)
    g, h, x = rng.integers(0, 150, 1500), rng.integers(0, 80, 1500), rng.normal(size=1500)
    y = x + rng.normal(size=150)[g] + 0.5 * rng.normal(size=80)[h] + rng.normal(size=1500)
    model = bmx.Model("y ~ x + (1 | g) + (1 | h)", {"y": y, "x": x, "g": g, "h": h})
    direct = model.sample(seed=1, method="marginal")
    monkeypatch.setattr("bayesmix.inference.sampling.marginal.sampler.DEAR", 0)
    emulated = model.sample(seed=2, method="marginal")
    assert "emulator_error" not in direct.draws.certificate
    assert emulated.draws.certificate["emulator_error"] < 1e-3
    ours, other = emulated.parameters(), direct.parameters()
    error = np.hypot(ours["sd"] / np.sqrt(ours["ess_bulk"]), other["sd"] / np.sqrt(other["ess_bulk"]))
    np.testing.assert_array_less(np.abs(ours["mean"] - other["mean"]) / error, MCSE)
    np.testing.assert_allclose(ours["sd"] / other["sd"], 1.0, atol=0.1)


def test_big_models_keep_random_effects_of_some_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bayesmix.inference.sampling.marginal.sampler.SMALL_EFFECTS", 100)
    monkeypatch.setattr("bayesmix.inference.sampling.marginal.sampler.EFFECT_NUMBERS", 18 * 2 * 200)
    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))
    post = model.sample(seed=1, method="marginal")
    assert post.values.beta.shape == (4, 1000, 2)
    assert post.with_effects.b[0].shape == (4, 50, 18, 2)
    assert any("one draw in 20 only" in note for note in post.draws.notes)
    reml = model.estimate()
    assert np.max(np.abs(post.ranef()["Subject"] - reml.ranef()["Subject"]).to_numpy()) < 15.0
    assert "ranef_Subject" not in post.data["posterior"]


@pytest.mark.slow
def test_random_effects_of_big_models_are_the_same_whenever_they_are_drawn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Drawn at first use, again after an interruption, in a pickle, on disk: the same to the bit."""
    sampler = "bayesmix.inference.sampling.marginal.sampler"
    calls: list[Any] = []

    def drawn(*args: Any, **options: Any) -> Any:
        calls.append(draw_effects(*args, **options))
        if len(calls) == 1:
            raise KeyboardInterrupt
        return calls[-1]

    model = bmx.Model("Reaction ~ Days + (Days | Subject)", bmx.load_dataset("sleepstudy"))
    monkeypatch.setattr(f"{sampler}.SMALL_EFFECTS", 0)
    monkeypatch.setattr(f"{sampler}.EFFECT_WORK", 0)
    monkeypatch.setattr(f"{sampler}.draw_effects", drawn)
    post = model.sample(draws=40, seed=1, method="marginal", progress=False)
    assert post.values.b == ()
    assert len(post.parameters()) == 6
    assert not calls
    with pytest.raises(KeyboardInterrupt):
        post.ranef()
    copied = pickle.loads(pickle.dumps(post)).with_effects.b[0]
    assert copied.shape == (4, 10, 18, 2)
    np.testing.assert_array_equal(copied, post.with_effects.b[0])
    post.save(tmp_path / "fit.zarr")
    np.testing.assert_array_equal(bmx.load(tmp_path / "fit.zarr").with_effects.b[0], copied)
    assert len(calls) == 2
    np.testing.assert_array_equal(*calls)


def test_a_point_out_of_range_does_not_cost_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are factorised together: a wide proposal draws such points all the time."""
    target = target_of(bmx.Model("y ~ x + (1 | g)", simulated()))
    points = target.start(point_of(bmx.Model("y ~ x + (1 | g)", simulated()))) + np.linspace(-1.0, 1.0, 256)[:, None]
    expected, sizes, factorised = target(points), [], MarginalPosterior.factorise

    def failing(self: MarginalPosterior, theta: np.ndarray) -> Any:
        sizes.append(len(theta))
        if np.any(np.isnan(theta)):
            raise np.linalg.LinAlgError
        return factorised(self, theta)

    monkeypatch.setattr(MarginalPosterior, "factorise", failing)
    points[100] = np.nan
    found = target(points)
    assert found[100] == -np.inf
    assert np.allclose(np.delete(found, 100), np.delete(expected, 100), rtol=EXACT)
    assert len(sizes) <= 2 * 8 + 1
