import numpy as np
import pytest
from residuals import REFERENCE, dense, fitted

import bayesmix as bmx
from bayesmix.inference.estimation.correlated import correlated_problem, criterion

CRITERION = 1e-6  # nlme's own searches end within that of the optimum
ESTIMATE = {"rtol": 2e-4, "atol": 2e-4}  # as it stops: its relative tolerance of variances is about 1e-5

UNSTRUCTURED = [name for name in REFERENCE if "unstr" in name]


@pytest.mark.parametrize("case", REFERENCE)
def test_criterion_is_that_of_nlme(case):
    assert fitted(case).criterion == pytest.approx(REFERENCE[case]["criterion"], abs=CRITERION)
    assert not [problem for problem in fitted(case).problems if case != "trial_patient_ar"]


@pytest.mark.parametrize("case", REFERENCE)
def test_fixed_effects_are_those_of_nlme(case):
    expected = REFERENCE[case]
    found = fitted(case).parameters().iloc[: len(expected["fixed"])]
    np.testing.assert_allclose(found["estimate"], list(expected["fixed"].values()), **ESTIMATE)


@pytest.mark.parametrize("case", [name for name in REFERENCE if not name.endswith("_ml")])
def test_standard_errors_are_those_of_nlme(case):
    expected = list(REFERENCE[case]["se"].values())
    found = fitted(case).parameters()["std_error"].iloc[: len(expected)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("case", [name for name in REFERENCE if name != "trial_patient_ar"])
def test_correlations_are_those_of_nlme(case):
    fit = fitted(case)
    own = fit.design.layout.structure.names
    np.testing.assert_allclose(fit.parameters()["estimate"][list(own)], REFERENCE[case]["corr"], atol=2e-4)


@pytest.mark.parametrize("case", REFERENCE)
def test_criterion_is_that_of_the_dense_density(case):
    fit = fitted(case)
    V, X, design = dense(fit), fit.design.X[: fit.design.n, fit.design.of_predictor(0)], fit.design
    inverse = np.linalg.inv(V)
    A = X.T @ inverse @ X
    r = design.y - X @ np.linalg.solve(A, X.T @ inverse @ design.y)
    value = np.linalg.slogdet(V)[1] + r @ inverse @ r + design.n * np.log(2.0 * np.pi)
    if not case.endswith("_ml"):
        value += np.linalg.slogdet(A)[1] - X.shape[1] * np.log(2.0 * np.pi)
    assert fit.criterion == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("case", ["trial_unstr", "trial_site_unstr", "trial_cosy_strata", "orthodont_arma"])
def test_gradient_is_exact(case, reml):
    fit = fitted(case)
    problem, x = correlated_problem(fit.design, fit.spec), fit.point.optimum.x
    x = x + 0.2 * np.cos(np.arange(len(x)))
    _, gradient = criterion(problem, x, reml=reml)
    for j, unit in enumerate(1e-5 * np.eye(len(x))):
        up, down = (criterion(problem, x + side * unit, reml=reml)[0] for side in (1, -1))
        assert gradient[j] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-6)


def test_order_and_labels_of_rows_do_not_matter():
    from residuals import FORMULAS, data

    import bayesmix as bmx

    table = data("trial").sample(frac=1.0, random_state=1)
    found = bmx.Model(FORMULAS["trial_unstr"], table).estimate()
    assert found.criterion == pytest.approx(fitted("trial_unstr").criterion, abs=1e-8)


def test_weights_divide_variances():
    from residuals import data

    import bayesmix as bmx

    table = data("trial").assign(w=lambda d: 1.0 + d["step"], offset=lambda d: -0.5 * np.log(1.0 + d["step"]))
    formula = "y ~ base + ar(step, patient)"
    weighted = bmx.Model(formula, table, weights="w").estimate()
    stated = bmx.Model([formula, "sigma ~ 1 + offset(offset)"], table).estimate()
    assert weighted.criterion == pytest.approx(stated.criterion, abs=1e-8)


@pytest.mark.slow
def test_errors_of_covariances_without_an_optimum_are_large():
    """One visit has no noise: the others' standard deviations had errors of 0.002 and 0.00004, the surest of all."""
    rng, n = np.random.default_rng(4), 30
    subject, visit = np.repeat(np.arange(n), 4), np.tile(np.arange(4), n)
    x = rng.normal(size=n)[subject]
    y = np.round(1.0 + 0.3 * x + rng.normal(size=n)[subject] + rng.normal(size=4 * n), 2)
    y = np.where(visit == 2, 1.0 + 0.3 * x, y)
    data = {"y": y, "x": x, "t": visit, "v": [f"v{t}" for t in visit], "s": [f"s{i:02d}" for i in subject]}
    with pytest.warns(bmx.ConvergenceWarning, match="runs off to zero"):
        fit = bmx.Model(["y ~ x + v + unstr(t, s)", "sigma ~ 0 + v"], data).estimate()
    errors = fit.parameters()["std_error"].filter(like="sigma_")
    assert len(errors) == 4
    assert errors.min() > 10.0
    said = str(fit.summary())  # degrees of freedom are NaN; it ended in an error of a matrix
    assert "standard errors mean nothing" in " ".join(said.split())
