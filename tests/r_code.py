"""R where it is there: data sets as code, and what a script prints."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np

import bayesmix as bmx

R = shutil.which("Rscript")


def table_of_r(name: str) -> str:
    """Code of R that makes a data set: factors with their levels in order."""
    frame = bmx.load_dataset(name)
    if name == "esoph":
        frame = frame.assign(exposure=np.log(frame["ncontrols"] + 1.0))
    columns = []
    for column in frame:
        values = frame[column]
        if hasattr(values, "cat"):
            levels, codes = list(map(str, values.cat.categories)), ", ".join(map(str, values.cat.codes + 1))
            kind = f"c({', '.join(map(json.dumps, levels))}), ordered = {str(values.cat.ordered).upper()}"
            columns.append(f"{column} = factor(c({codes}), 1:{len(levels)}, {kind})")
        else:
            columns.append(f"{column} = c({', '.join(map(repr, values.tolist()))})")
    return f"{name} <- data.frame({', '.join(columns)})"


def run_r(*lines: str) -> str:
    """What a script prints."""
    text = "\n".join(["options(digits = 12, warn = -1)", *lines])
    return subprocess.run([str(R), "-"], input=text, capture_output=True, text=True, check=True).stdout
