"""No verb of a marginal fit loads ArviZ's statistics, which takes as long as the fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import bayesmix as bmx

CALLS = {  # every verb of a posterior that needs arguments, or another model; all others are called without any
    "conditional_effects": "post.conditional_effects('x')",
    "contrasts": "post.contrasts('temp')",
    "heterogeneity": "drawn('y | se(s) ~ x + (1 | g)').heterogeneity()",
    "hypothesis": "post.hypothesis('x > 0')",
    "imputed": "drawn(['y ~ x + mi(w) + (1 | g)', 'w | mi() ~ x']).imputed('w')",
    "kfold": "post.kfold(2)",
    "marginal_means": "post.marginal_means('temp')",
    "predict": "post.predict(groups='new')",
    "refit": "post.refit(post.design.y)",
    "save": "post.save(folder / 'fit.zarr')",
    "simulate": "post.simulate(3)",
    "slopes": "post.slopes('x')",
    "smooths": "drawn('y ~ s(x, k=4) + (1 | g)').smooths()",
    "test_group": "post.test_group('g')",
    "update": "post.update('~ . - x')",
}
OTHERS = (
    "str(post)",
    "bmx.compare(post, model.estimate())",
    "bmx.loo_compare({'one': post, 'two': post})",
    "bmx.bayes_factor(post, post)",
    "bmx.pooling(post)",
    "bmx.load(folder / 'fit.zarr').loo()",
)
SCRIPT = """
import json, pathlib, sys, tempfile, warnings
import numpy as np
import bayesmix as bmx
warnings.simplefilter("ignore")
rng = np.random.default_rng(1)
g, x, temp = np.repeat(np.arange(8), 6), rng.normal(size=48), np.tile(["a", "b", "c"], 16)
y = 2.0 + x + rng.normal(size=8)[g] + rng.normal(size=48)
data = {"y": y, "x": x, "temp": temp, "g": [f"g{j}" for j in g], "s": np.linspace(0.5, 1.0, 48)}
data["w"] = np.where(np.arange(48) % 7, x + rng.normal(size=48), np.nan)
model = bmx.Model("y ~ x + temp + (1 | g)", data)
drawn = lambda formula: bmx.Model(formula, data).sample(draws=100, chains=2, seed=1, method="marginal", progress=False)
post = drawn("y ~ x + temp + (1 | g)")
folder = pathlib.Path(tempfile.mkdtemp())
found = {}
for call in json.loads(sys.argv[1]):
    try:
        value = eval(call)
        value() if callable(value) else str(value)
    except bmx.BayesmixError as error:
        found[call] = str(error)
    if "arviz_stats" in sys.modules:
        found[call] = "loads arviz_stats"
        break
print(json.dumps(found))
"""


def verbs() -> list[str]:
    """Public names of a posterior."""
    return [name for name in dir(bmx.Posterior) if not name.startswith("_") and name not in {"data", "design"}]


@pytest.mark.slow  # a process of its own, and all verbs there are
def test_no_verb_of_a_marginal_fit_loads_arviz_s_statistics(tmp_path: Path) -> None:
    calls = [CALLS.get(name, f"post.{name}") for name in verbs()] + list(OTHERS)
    assert set(CALLS) <= set(verbs())
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(calls)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert json.loads(result.stdout.splitlines()[-1]) == {}
