"""C: what was a crash, or an error of another package, is one message of ours, at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bayesmix as bmx

MODEL = "Yield ~ 1 + (1 | Batch)"
CALLS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "C bmx.anova(reml, post)": (lambda s: bmx.anova(s.reml, s.post), "argument 2 is a posterior"),
    'C predict(groups=["batch"])': (lambda s: s.reml.predict(groups=["batch"]), 'groups={"Batch": "new"}'),
    'C predict(groups=["batch"]) of a posterior': (lambda s: s.post.predict(groups=["batch"]), "is a scope, not"),
    "C plots.group_lines(model)": (lambda s: bmx.plots.group_lines(s.model), "group_lines(model.estimate())"),
    "C hypothesis([..])": (lambda s: s.reml.hypothesis(["Intercept > 0"]), 'fit.hypothesis("x > 0", "a = b")'),
    "C formula None": (lambda s: bmx.Model(None, s.data), "not NoneType"),
    "C formula 42": (lambda s: bmx.Model(42, s.data), "not int"),
    "C formula list": (lambda s: bmx.Model(["Yield", "Batch"], s.data), "there is no `~`"),
    "C formula tuple": (lambda s: bmx.Model(("Yield", "Batch"), s.data), "there is no `~`"),
    "C family=None": (lambda s: bmx.Model(MODEL, s.data, family=None), "A family is one of the names gaussian"),
    "C chains=2.5": (lambda s: s.model.sample(chains=2.5), "chains=2.5: a whole number is needed"),
    'C draws="x"': (lambda s: s.model.sample(draws="x"), "draws='x': a whole number is needed"),
    'C seed="abc"': (lambda s: s.model.sample(seed="abc"), "seed='abc': a whole number is needed"),
    "C seed=1.5": (lambda s: s.model.sample(seed=1.5), "seed=1.5: a whole number is needed"),
    "C draws=10**9": (lambda s: s.model.sample(draws=10**9), "draws=1000000000, chains=4: the draws of 3 parameters"),
    "C Agq(10**6)": (lambda _: bmx.Agq(10**6), "up to 100 points, not 1000000"),
}


@pytest.fixture(scope="module")
def fits(fitted: Any, posterior_of: Any, model: Any) -> SimpleNamespace:
    data = {"Yield": np.arange(6.0), "Batch": list("aabbcc")}
    reml, post = fitted("dyestuff"), posterior_of("dyestuff")
    return SimpleNamespace(data=data, reml=reml, post=post, model=model("dyestuff"))


@pytest.mark.parametrize("case", CALLS)
def test_a_wrong_call_is_one_message(fits: SimpleNamespace, case: str) -> None:
    call, said = CALLS[case]
    with pytest.raises(bmx.BayesmixError, match=re.escape(said)):
        call(fits)


@pytest.mark.slow
def test_fits_are_taken_one_by_one_and_by_name(fits: SimpleNamespace, posterior_of: Any) -> None:
    """`compare` took no dictionary, `loo_compare` nothing else."""
    found = bmx.compare({"a": fits.reml, "b": fits.post}, causes=False)
    assert "Comparison of a and b" in str(found)
    assert list(bmx.anova({"a": fits.reml, "b": fits.reml}).index) == ["a", "b"]
    pair = posterior_of("dyestuff", spread=0.01), posterior_of("dyestuff", spread=0.02)
    named, plain = bmx.loo_compare({"a": pair[0], "b": pair[1]}), bmx.loo_compare(*pair)
    assert sorted(named.index) == ["a", "b"]
    assert len(plain) == 2


# what to write instead, of whatever verb it is asked: no advice names an argument that the verb lacks
ARGUMENTS: dict[str, str] = {
    "C REML=": 'model.estimate("ml")',
    "C nAGQ=": "bmx.Agq(points=9)",
    "C subset=": 'data[data["x"] > 0]',
    "C control=": "The optimiser finds its own start and has no options",
    "C dispformula=": '["y ~ ...", "sigma ~ x"]',
    "C ziformula=": '["y ~ ...", "zi ~ x"]',
    "C adjust=": '`adjust="holm"`',
    "C by=": 'contrasts("a", by="b")',
    "C tune=": "model.sample(method=bmx.Nuts(tune=1000))",
    "C random_seed=": "seed=",
    "C iter=": "draws=",
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_an_argument_of_another_package_is_answered(fits: SimpleNamespace, case: str) -> None:
    name = case.removeprefix("C ").rstrip("=")
    verbs: dict[str, Callable[..., Any]] = {
        "Model": lambda **given: bmx.Model(MODEL, fits.data, **given),
        "estimate": fits.model.estimate,
        "sample": fits.model.sample,
        **{verb: getattr(fits.reml, verb) for verb in ("predict", "summary", "confint", "tidy", "simulate")},
    }
    for verb, call in verbs.items():
        with pytest.raises(bmx.SpecError) as caught:
            call(**{name: 1})
        message = str(caught.value)
        assert message.startswith(f"`{verb}` has no argument `{name}`.")
        assert ARGUMENTS[case] in message
        advised = re.search(r"Write `(\w+)=`", message)
        if advised:
            with pytest.raises(bmx.BayesmixError) as followed:
                call(**{advised[1]: "x"})
            assert "has no argument" not in str(followed.value)


def test_units_of_a_trillionth_change_their_own_numbers_alone() -> None:
    """Days times 1e12 was a LinAlgError."""
    data = bmx.load_dataset("sleepstudy").assign(D=lambda frame: 1e12 * frame["Days"])
    plain, far = (
        bmx.Model(f"Reaction ~ {x} + ({x} | Subject)", data).estimate().parameters()["estimate"].to_numpy()
        for x in ("Days", "D")
    )
    np.testing.assert_allclose(far * [1, 1e12, 1, 1e12, 1, 1], plain, rtol=1e-6)
