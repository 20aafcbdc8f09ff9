"""Render the figures of the README: ``uv run python benchmarks/readme_figures.py docs``."""

from __future__ import annotations

import sys
from pathlib import Path

import bayesmix as bmx

DPI = 150


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model = bmx.load_model("esoph_lmm")
    reml, post = model.estimate(), model.sample(seed=1, progress=False)
    comparison = bmx.compare(post, reml)
    figures = {
        "esoph_lines": bmx.plots.group_lines(reml, units={"ncases": "cases", "ncontrols": "controls"}),
        "esoph_forest": comparison.plot(),
        "esoph_sd": comparison.plot("sd"),
    }
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        figure.savefig(path, dpi=DPI)
        print(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/readme_figures.py FOLDER")
    main(Path(sys.argv[1]))
