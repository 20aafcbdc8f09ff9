import pytest

from bayesmix.errors import SpecError
from bayesmix.language.formula.model_spec import make_spec

REFUSED = {
    "poisson": ("y ~ x + ar(t, g)", "poisson", "it needs gaussian responses"),
    "link": ("y ~ x + ar(t, g)", ("gaussian", "log"), "it needs gaussian responses"),
    "student": ("y ~ x + unstr(v, g)", "student", "it needs gaussian responses"),
    "sigma": (["y ~ x", "sigma ~ ar(t, g)"], "gaussian", "in the formula of its mean"),
    "responses": (["a ~ ar(t, g)", "b ~ x"], "gaussian", "one response, not several"),
    "censored": ("y | cens(c) ~ ar(t, g)", "gaussian", "neither censored nor truncated"),
    "random sigma": (["y ~ ar(t, g)", "sigma ~ (1 | h)"], "gaussian", "fixed effects alone"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_residual_structures_do_not_suit(case):
    formula, family, message = REFUSED[case]
    family, link = family if isinstance(family, tuple) else (family, None)
    with pytest.raises(SpecError, match=message):
        make_spec(formula, family, link, None)


def test_a_model_with_one_has_a_covariance_of_rows():
    spec = make_spec(["y ~ x + unstr(v, g)", "sigma ~ 0 + v"], "gaussian", None, None)
    assert spec.has_row_covariance
    assert not spec.is_simple
    assert not make_spec("y ~ x", "gaussian", None, None).has_row_covariance
