"""Kenward and Roger's formulas of 1997, dense and by differences."""

import numpy as np
import pytest
from residuals import dense, fitted, model, whole

import bayesmix as bmx
from bayesmix.inference.estimation import connected_rows
from bayesmix.results.fits.degrees_of_freedom import has_kenward_roger

LINEAR = ["orthodont_unstr", "trial_unstr", "orthodont_cosy"]
CASES = [*LINEAR, "trial_ar", "trial_cosy_strata", "trial_unstr_one", "orthodont_arma"]
GROUPED = ["trial_site_ar", "trial_patient_ar", "trial_site_unstr", "trial_slopes_ar"]


def numbers_of(fit):
    """Numbers of the covariance of the rows, and the dense matrix as a function of them: random effects' last."""
    at, covariance = residual_numbers_of(fit)
    own, basis = [], []
    for term, sds, C in zip(fit.design.terms, fit.values.sd, fit.values.corr, strict=True):
        codes, z = term.codes[: fit.design.n], term.z[: fit.design.n]
        same = codes[:, None] == codes[None, :]
        for a in range(len(sds)):
            for b in range(a + 1):
                own.append(sds[a] * C[a, b] * sds[b])
                cross = np.outer(z[:, a], z[:, b])
                basis.append(same * (cross if a == b else cross + cross.T))
    r = len(at)
    return (
        np.array([*at, *own]),
        lambda x: (
            covariance(x[:r]) + sum((a * b for a, b in zip(x[r:], basis, strict=True)), np.zeros((fit.design.n,) * 2))
        ),
    )


def residual_numbers_of(fit):
    """Those of the residuals."""
    design, values = fit.design, fit.parameters()["estimate"]
    block, place, structure = design.data.blocks.block, design.data.blocks.place, design.layout.structure
    same = block[:, None] == block[None, :]
    names, n = list(structure.names), design.n
    V = dense(fit, of_effects=False)
    if structure.term.function == "unstr" and len(design.of_predictor(1)) == structure.size:
        pairs = [(i, j) for i in range(structure.size) for j in range(i + 1)]
        basis = [same * _unit(place, i, j) for i, j in pairs]
        at = [V[b.astype(bool)][0] for b in basis]
        return np.array(at), lambda x: sum(a * b for a, b in zip(x, basis, strict=True))
    if structure.term.function == "cosy" and len(design.of_predictor(1)) == 1:
        basis = [np.eye(n), same & ~np.eye(n, dtype=bool)]
        return np.array([V[0, 0], V[basis[1]][0]]), lambda x: x[0] * basis[0] + x[1] * basis[1]
    sigma = fit.fitted("sigma").to_numpy()
    strata, stratum = np.unique(np.round(sigma, 10), return_inverse=True)

    def covariance(x):
        changed = values.copy()
        changed[names] = x[len(strata) :]
        sd = np.sqrt(x[: len(strata)])[stratum]
        return same * whole(fit, changed)[place[:, None], place[None, :]] * sd[:, None] * sd[None, :]

    return np.array([*strata**2, *values[names]]), covariance


def _unit(place, i, j):
    first, second = place[:, None], place[None, :]
    return ((first == i) & (second == j) | (first == j) & (second == i)).astype(float)


def kenward_roger(fit):
    """Adjusted covariance, and degrees of freedom of each coefficient.

    By the observed information of REML without random effects, by the expected one with them.
    """
    at, covariance = numbers_of(fit)
    m, h = len(at), 1e-4 * np.maximum(np.abs(at), 0.1)
    units = np.eye(m) * h
    V = covariance(at)
    G = [(covariance(at + u) - covariance(at - u)) / (2 * h[a]) for a, u in enumerate(units)]
    second = {
        (a, b): (
            covariance(at + units[a] + units[b])
            - covariance(at + units[a] - units[b])
            - covariance(at - units[a] + units[b])
            + covariance(at - units[a] - units[b])
        )
        / (4 * h[a] * h[b])
        for a in range(m)
        for b in range(m)
    }
    X = fit.design.X[: fit.design.n, fit.design.of_predictor(0)]
    inverse = np.linalg.inv(V)
    Phi = np.linalg.inv(X.T @ inverse @ X)
    P = [-X.T @ inverse @ g @ inverse @ X for g in G]
    Q = [[X.T @ inverse @ g @ inverse @ k @ inverse @ X for k in G] for g in G]
    r = fit.design.y - fit.design.offset[: fit.design.n]
    project = inverse - inverse @ X @ Phi @ X.T @ inverse
    right = project @ r
    information = np.zeros((m, m))
    for a, b in np.ndindex(m, m):
        expected = np.trace(project @ G[a] @ project @ G[b])
        quadratic = 2 * right @ G[a] @ project @ G[b] @ right - right @ second[a, b] @ right
        observed = np.trace(project @ second[a, b]) - expected + quadratic
        information[a, b] = 0.5 * (expected if fit.design.terms else observed)
    W = np.linalg.inv(information)
    total = sum(
        W[a, b] * (Q[a][b] - P[a] @ Phi @ P[b] - 0.25 * X.T @ inverse @ second[a, b] @ inverse @ X)
        for a in range(m)
        for b in range(m)
    )
    slopes = np.array([-np.diagonal(Phi @ p @ Phi) for p in P])
    df = 2 * np.diagonal(Phi) ** 2 / np.einsum("ai,ab,bi->i", slopes, W, slopes)
    return Phi + 2 * Phi @ total @ Phi, df


@pytest.mark.parametrize("case", [*CASES, *GROUPED])
def test_kenward_roger_is_that_of_dense_formulas(case):
    fit = fitted(case)
    cov, df = kenward_roger(fit)
    p = len(cov)
    table = fit.tidy(("fixed",), df="kenward-roger").iloc[:p]
    np.testing.assert_allclose(table["std.error"], np.sqrt(np.diagonal(cov)), rtol=1e-5)
    np.testing.assert_allclose(table["df"], df, rtol=1e-4)


def test_kenward_roger_of_compound_symmetry_is_that_of_pbkrtest():
    """lmer(distance ~ Sex * age + (1 | Subject), Orthodont): emmeans at age 8 has 37.1 degrees of freedom."""
    found = fitted("orthodont_cosy").marginal_means("Sex", at={"age": 8}, df="kenward-roger")
    np.testing.assert_allclose(found["df"], 37.1, atol=0.05)
    np.testing.assert_allclose(found["std_error"], [0.539, 0.650], atol=5e-4)


def test_complete_unstructured_data_have_exact_degrees_of_freedom():
    """Of a saturated mean on complete data each visit is a two-sample problem of 27 subjects in two groups."""
    for df in ("satterthwaite", "kenward-roger"):
        np.testing.assert_allclose(fitted("orthodont_unstr").contrasts("Sex", by="visit", df=df)["df"], 25.0, rtol=1e-5)


@pytest.mark.slow
def test_sets_of_many_rows_are_refused(monkeypatch):
    fit = model("trial_site_ar").estimate()
    monkeypatch.setattr(connected_rows, "MOST", 20)
    with pytest.raises(bmx.SpecError, match=r"at most 20 of them: here 3\d are"):
        fit.tidy(("fixed",), df="kenward-roger")
    assert not has_kenward_roger(fit)  # intervals by all methods leave it out
