"""Imputation in specifications: what is read, what is refused."""

from __future__ import annotations

import pytest

from bayesmix.errors import BayesmixError
from bayesmix.language.formula.imputation import imputation_order
from bayesmix.language.formula.model_spec import make_spec
from bayesmix.language.formula.parse import parse
from bayesmix.language.formula.spec_words import read_spec, spec_words

Z = "z | mi() ~ w"
READ = {  # formulas -> prefixes of predictors with coefficients, imputed predictors by response
    ("y ~ x + mi(z) + (1 | g)", Z): (["y_", "y_mi(z)", "z_"], {0: (1,), 1: ()}),
    ("y | mi() ~ mi(z) * x", "z | mi() ~ mi(v)", "v | mi() ~ 1"): (
        ["y_", "y_mi(z)", "z_", "z_mi(v)", "v_"],
        {0: (1,), 1: (2,), 2: ()},
    ),
    ("y ~ mi(log(z))", "log(z) | mi() ~ w", "u ~ x"): (["y_", "y_mi(log(z))", "logz_", "u_"], {0: (1,), 1: ()}),
    ("y ~ x", Z): (["y_", "z_"], {1: ()}),
    ("y ~ x", "z ~ w"): (["y_", "z_"], {}),
    ("y ~ x + mi(z)", Z, "sigma_y ~ x"): (["y_", "sigma_y_", "y_mi(z)", "z_"], {0: (1,), 1: ()}),
}


@pytest.mark.parametrize("formulas", READ)
def test_read(formulas):
    spec = make_spec(list(formulas), "gaussian", None, None)
    prefixes, imputed = READ[formulas]
    assert [one.prefix for one in spec.predictors if not one.formula.offsets] == prefixes
    assert spec.imputed == imputed
    assert sorted(spec.formula_texts) == sorted(formulas)
    assert read_spec(spec_words(spec)) == spec
    assert not spec.is_linear
    for text in formulas:
        assert parse(str(parse(text))) == parse(text)


REFUSED = {
    ("y ~ mi(z)",): "`y` is the only response",
    ("y | mi() ~ x",): "`predict` says what is to be expected",
    ("y ~ mi(z)", "v ~ w"): r"needs a formula of `z`.*Add `z \| mi\(\) ~",
    ("y ~ mi(z)", "z ~ w"): "rows without `z` would be left out",
    ("y ~ log(mi(z))", Z): "does not belong here",
    ("y ~ x + (mi(z) | g)", Z): "does not belong here.*slope",
    ("y ~ s(mi(z))", Z): "does not belong here",
    ("y ~ offset(mi(z))", Z): "does not belong here",
    ("mi(z) ~ x", Z): "does not belong here",
    ("y ~ mi(z, 2)", Z): "takes the response of another formula",
    ("y ~ mi()", Z): "takes the response of another formula",
    ("y ~ mi(z)", "z | mi(s) ~ w"): "measured with errors",
    ("y ~ mi(z) * mi(v)", Z, "v | mi() ~ 1"): r"`mi\(z\):mi\(v\)`.*product",
    ("y | mi() ~ mi(z)", "z | mi() ~ mi(y)"): "circle",
    ("y | mi() ~ mi(y)", Z): "circle",
    ("y ~ z + mi(z)", Z): r"has `z` and `mi\(z\)`",
    ("y ~ . * mi(z)", Z): "name the columns",
    ("y ~ x", Z, "sigma_y ~ mi(z)"): "imputed predictors are of means",
    ("y | weights(k) ~ mi(z)", Z): "do not go together",
    ("y ~ mi(z)", "z | mi() + cens(k) ~ w"): "do not go together",
}


@pytest.mark.parametrize("formulas", REFUSED)
def test_refused(formulas):
    with pytest.raises(BayesmixError, match="(?s)" + REFUSED[formulas]):
        make_spec(list(formulas), "gaussian", None, None)


def test_other_families_are_refused():
    families = {"y": "poisson", "z": "gaussian"}
    with pytest.raises(BayesmixError, match=r"`y` has family `poisson`.*Complete the data first"):
        make_spec(["y ~ mi(z)", Z], families, None, None)
    with pytest.raises(BayesmixError, match="`z` has family `poisson`"):
        make_spec(["y ~ mi(z)", Z], {"y": "gaussian", "z": "poisson"}, None, None)


def test_correlated_residuals_are_refused():
    with pytest.raises(BayesmixError, match="rescor=True"):
        make_spec(["y ~ mi(z)", Z], "gaussian", None, None, rescor=True)


def test_order():
    assert list(imputation_order({0: (1, 2), 1: (2,), 2: ()})) == [2, 1, 0]
