"""Fitted values and residuals have the index of the data; what notebooks and help show of fits."""

from __future__ import annotations

import inspect
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

import bayesmix as bmx
from bayesmix.results.criticism.diagnosis import Diagnosis, Finding
from bayesmix.results.fits.accessors import fitted_of


@pytest.mark.filterwarnings("ignore::bayesmix.DroppedWarning")
def test_values_of_rows_have_the_index_of_the_data():
    data = bmx.load_dataset("sleepstudy").set_index(pd.Index([f"row {i}" for i in range(180)]))
    data["Days"] = data["Days"].mask(data["Days"] == 3)
    fit = bmx.Model("Reaction ~ Days + (1 | Subject)", data).estimate()
    fitted, residuals = fit.fitted(), fit.residuals()
    kept = data.index[data["Days"].notna()]
    assert list(fitted.index) == list(residuals.index) == list(kept)
    np.testing.assert_array_equal(fitted.to_numpy(), fitted_of(fit))
    pd.testing.assert_series_equal(fitted + residuals, data.loc[kept, "Reaction"], check_names=False)
    assert fitted.name == "Reaction"


def test_tables_without_an_index_have_positions():
    data = {"y": [1.0, 2.0, 4.0, 3.0, 5.0, 7.0], "g": list("aabbcc")}
    assert list(bmx.Model("y ~ 1 + (1 | g)", data).estimate().fitted().index) == list(range(6))


@pytest.mark.slow
def test_probabilities_of_categories_have_their_names():
    table = bmx.load_model("wine").estimate().fitted()
    assert list(table.columns) == ["1", "2", "3", "4", "5"]
    np.testing.assert_allclose(table.sum(axis=1), 1.0)


@pytest.mark.parametrize("kind", [bmx.Model, bmx.Estimate, bmx.Posterior, bmx.Comparison])
def test_help_says_something_of_every_public_method(kind):
    own = [name for name, value in inspect.getmembers(kind) if not name.startswith("_") and callable(value)]
    assert [name for name in own if not (getattr(kind, name).__doc__ or "").strip()] == []


def test_diagnoses_show_themselves_in_notebooks():
    found = Diagnosis((Finding("Rows", True, "k < 0.7", "never"), Finding("Priors", False, "they matter", "look()")))
    tree = ET.fromstring(found._repr_html_().replace("<br>", "<br/>"))
    rows = ["|".join("".join(cell.itertext()) for cell in row) for row in tree.iter("tr")]
    assert rows == ["✓|Rows|k < 0.7", "!|Priors|they matterNext: look()"]
