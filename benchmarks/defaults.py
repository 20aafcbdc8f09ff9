"""Every model file and every reference case at default settings: which engine drew, and whether its draws can be used.

uv run python benchmarks/defaults.py [NAME ...]
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import bayesmix as bmx

ROOT = Path(__file__).parents[1]
FAMILIES = {"nbinom2": "negbinomial", "Gamma": "gamma"}


def reference_model(path: Path) -> bmx.Model:
    given = json.loads(path.read_text(encoding="utf-8"))
    family = "negbinomial" if given["family"].startswith("Negative") else given["family"]
    contrasts = {factor: name.removeprefix("contr.") for factor, name in (given.get("contrasts") or {}).items()}
    return bmx.Model(
        given["formula"],
        bmx.load_dataset(given["data"]),
        family=FAMILIES.get(family, family),
        link=given["link"],
        weights=given.get("weights"),
        contrasts=contrasts,
    )


def models() -> Iterator[tuple[str, bmx.Model]]:
    """Model files first; reference cases that are another model than those before."""
    seen = set()
    for path in sorted((ROOT / "models").glob("*.toml")):
        yield path.stem, (model := bmx.load_model(str(path)))
        seen.add(what(model))
    for path in sorted((ROOT / "tests" / "reference" / "lme4").glob("*.json")):
        model = reference_model(path)
        if what(model) not in seen:
            seen.add(what(model))
            yield path.stem, model


def what(model: bmx.Model) -> tuple[str, ...]:
    spec, design = model.spec, model.design
    return spec.formula.text, spec.family.name, spec.link.name, ",".join(design.fixed), f"{design.weights.sum():.6g}"


def main() -> None:
    wanted = sys.argv[1:]
    print(f"{'model':<30} {'engine':<9} {'seconds':>8} {'div.':>5} {'R-hat':>6} {'smallest ESS':>13}  notes")
    failed = 0
    for name, model in models():
        if wanted and name not in wanted:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            begin = time.perf_counter()
            post = model.sample(seed=1, progress=False)
            seconds = time.perf_counter() - begin
        found = post.convergence
        failed += not post.converged
        print(
            f"{name:<30} {post.method:<9} {seconds:8.1f} {post.divergences:5d} {found.worst_r_hat:6.3f}"
            f" {found.smallest_ess:13.0f}  {'; '.join(post.draws.notes)}",
            flush=True,
        )
    print(f"{failed} did not converge")


if __name__ == "__main__":
    main()
