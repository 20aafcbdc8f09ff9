"""The data sets that come with the package."""

from __future__ import annotations

import pandas as pd
import pytest

from bayesmix.data.datasets import dataset_names, load_dataset
from bayesmix.errors import SpecError

SHAPES = {
    "Arabidopsis": (625, 8),
    "Dyestuff": (30, 2),
    "Dyestuff2": (30, 2),
    "InstEval": (73421, 7),
    "Pastes": (60, 4),
    "Penicillin": (144, 3),
    "Salamanders": (644, 9),
    "VerbAgg": (7584, 9),
    "cake": (270, 5),
    "cbpp": (56, 5),
    "esoph": (88, 5),
    "gammasim": (240, 3),
    "grouseticks": (403, 7),
    "inhaler": (572, 5),
    "kidney": (76, 7),
    "nbsim": (400, 4),
    "sleepstudy": (180, 3),
    "sleepstudy_ow": (180, 5),
    "wine": (72, 6),
}


def test_names() -> None:
    assert dataset_names() == tuple(sorted(SHAPES))


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_and_sources(name: str) -> None:
    frame = load_dataset(name)
    assert frame.shape == SHAPES[name]
    assert frame.attrs["source"]
    assert not frame.isna().to_numpy().any()
    assert not any(pd.api.types.is_object_dtype(dtype) for dtype in frame.dtypes)


def test_types_are_those_of_R() -> None:
    esoph = load_dataset("esoph")
    assert esoph.agegp.dtype == pd.CategoricalDtype(["25-34", "35-44", "45-54", "55-64", "65-74", "75+"], ordered=True)
    assert esoph.ncases.dtype == "int64"
    cake = load_dataset("cake")
    assert not cake.recipe.cat.ordered
    assert list(cake.replicate.cat.categories[:3]) == ["1", "2", "3"]
    assert cake.temp.dtype == "float64"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"no data set `sleepstudi`\. Did you mean `sleepstudy`"):
        load_dataset("sleepstudi")
