"""Lines of models as MathML: whole elements, the symbols of the text, places to break."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

import bayesmix as bmx
from bayesmix.results.tables.mathml import formula_html
from bayesmix.results.tables.model_text import maths


def read(line):
    """Elements of a line, and its text."""
    tree = ET.fromstring(f"<p>{formula_html(line)}</p>")
    return tree, "".join(tree.itertext())


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("ncases[i] ~ Normal(mu[i], sigma)", "ncasesi ∼Normal(μi,σ)"),
        ("log(sigma[i]) = beta[Intercept] + b[g: 1 + x[i]]", "log(σi) =βIntercept +bg:1+xi"),
        ("b[g], each of 6 levels ~ Normal(0, Sigma)", "bg, each of 6 levels ∼Normal(0,Σ)"),
        ("cbind(a, n - a)[i] ~ Binomial(trials[i], mu[i])", "cbind(a,n−a)i ∼Binomial(trialsi,μi)"),
        ("`<a & b>`[i] ~ Normal(mu[i], 1.5)", "`<a & b>`i ∼Normal(μi,1.5)"),
    ],
)
def test_symbols(line, text):
    assert read(line)[1] == text


def test_names_have_their_index():
    tree, _ = read("mu[i] = beta[x] x[i]")
    below = [("".join(one[0].itertext()), "".join(one[1].itertext())) for one in tree.iter("msub")]
    assert below == [("μ", "i"), ("β", "x"), ("x", "i")]
    assert [one.get("alttext") for one in tree.iter("math")] == ["mu[i]", "= beta[x] x[i]"]  # it may break before `=`


@pytest.mark.parametrize("name", ["esoph_lmm", "cbpp", "wine", "salamanders"])
def test_every_line_of_a_model_can_be_read(name):
    model = bmx.load_model(name)
    for line in maths(model.spec, model.design):
        _, text = read(line)
        assert "[" not in text
        assert all(word in text for word in line.split() if word.isalpha() and word.islower())


def test_models_show_mathematics_data_and_priors(model):
    tree = ET.fromstring(f"<div>{model('cbpp')._repr_html_().replace('<br>', '<br/>')}</div>")
    assert len(list(tree.iter("math"))) > 5
    text = "".join(tree.itertext())
    assert "Data: 56 rows; herd with 15 levels" in text
    assert "95 % below 3 (odds times 20)" in text
    assert [cell.text for cell in tree.iter("th")][:3] == ["parameter", "prior", "in units of the data"]
