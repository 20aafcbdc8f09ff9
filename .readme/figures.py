"""Render the figures of the README: ``uv run python .readme/figures.py``."""

from __future__ import annotations

from pathlib import Path

import bayesmix as bmx

HERE = Path(__file__).parent


def render(folder: Path = HERE) -> None:
    """Write ``forest.png`` and ``curves.png``."""
    model = bmx.load_model("esoph_lmm")
    reml, post = model.estimate(), model.sample(seed=1, progress=False)
    bmx.compare(post, reml).plot().savefig(folder / "forest.png", dpi=120)
    bmx.plots.mean_curves(post, reml).savefig(folder / "curves.png", dpi=120)


if __name__ == "__main__":
    render()
