"""What `priors=` of a model may be."""

from __future__ import annotations

import pytest

from bayesmix.errors import SpecError
from bayesmix.language.priors.presets import PRESETS, read_priors
from bayesmix.language.priors.prior import Prior


def test_presets_and_named_priors():
    assert read_priors(None) == ("default", {})
    assert [read_priors(name)[0] for name in PRESETS] == list(PRESETS)
    assert read_priors({"preset": "flat", "sigma": "HalfNormal(2)"}) == ("flat", {"sigma": Prior("HalfNormal", (2.0,))})


@pytest.mark.parametrize(("given", "message"), [("falt", "Did you mean `flat`"), (3, "a preset"), (["flat"], "a dict")])
def test_refused(given, message):
    with pytest.raises(SpecError, match=message):
        read_priors(given)
