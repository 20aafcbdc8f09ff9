"""Time and memory of building designs: rows by levels by effects, from every kind of data.

    uv run python benchmarks/design.py [--quick]

Each case runs in a process of its own, so that its peak is its own. *Data* is what the columns take as a pandas frame,
*peak* what building the design adds to the process at most, the design itself included.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FORMULA = "y ~ x + z + (x + z | g)"
EFFECTS = 3
SIZES = ((100_000, 10_000), (1_000_000, 100_000))
SOURCES = ("pandas", "polars", "pyarrow", "duckdb", "parquet")
MEGA = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smaller size alone")
    parser.add_argument("--case", nargs=3, metavar=("SOURCE", "FILE", "REPEATS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        source, file, repeats = options.case
        print(json.dumps(measure(source, Path(file), int(repeats))))
        return
    print(f"{FORMULA}\n")
    print("     rows   levels data      seconds  CPU, s  data, MB  design, MB  peak, MB  peak / data")
    for n, levels in SIZES[:1] if options.quick else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "rows.parquet"
            frame = simulate(n, levels)
            frame.to_parquet(file)
            for source in SOURCES:
                row = in_a_process(source, file) | {"data": frame.memory_usage(deep=True).sum() / MEGA}
                print(f"{n:>9} {levels:>8} {source:<8} {cells(row)}", flush=True)
        print(f"{'':>18} a dense Z would take {8.0 * n * levels * EFFECTS / 1e9:,.0f} GB")


def cells(row: dict[str, float]) -> str:
    """Times, sizes and their ratio."""
    times, sizes = f"{row['seconds']:>8.2f} {row['cpu']:>7.2f}", f"{row['data']:>9.0f} {row['design']:>11.0f}"
    return f"{times} {sizes} {row['peak']:>9.0f} {row['peak'] / row['data']:>12.1f}"


def simulate(n: int, levels: int) -> pd.DataFrame:
    """Rows of a random-slopes model."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, levels, n)
    columns = {"x": rng.normal(size=n), "z": rng.normal(size=n), "y": rng.normal(size=n)}
    return pd.DataFrame({**columns, "g": np.char.add("level ", codes.astype(str))})


def in_a_process(source: str, file: Path) -> dict[str, float]:
    """Measure one case in a fresh interpreter: the peak in a first run, times in later ones."""
    command = [sys.executable, __file__, "--case", source, str(file)]
    first = json.loads(subprocess.run([*command, "1"], check=True, capture_output=True, text=True).stdout)
    again = json.loads(subprocess.run([*command, "3"], check=True, capture_output=True, text=True).stdout)
    return first | {name: again[name] for name in ("seconds", "cpu")}


def measure(source: str, file: Path, repeats: int) -> dict[str, float]:
    """Build the design of data that are already there."""
    from bayesmix.data.design.design import build
    from bayesmix.language.formula.parse import parse

    formula = parse(FORMULA)
    build(formula, pd.DataFrame({"y": [1.0, 2.0, 3.0], "x": [1.0, 3.0, 2.0], "z": [0.0, 1.0, 5.0], "g": list("aab")}))
    data = load(source, file)
    before, times, cpu = resident(), [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        design = build(formula, data)
        times.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGA - before
    (term,) = design.terms
    arrays = (design.X, design.y, design.weights, design.offset, term.z, term.codes)
    return {
        "seconds": statistics.median(times),
        "cpu": statistics.median(cpu),
        "design": sum(array.nbytes for array in arrays) / MEGA,
        "peak": peak,
    }


def load(source: str, file: Path) -> Any:
    """The data in one of the forms a model takes."""
    match source:
        case "pandas":
            return pd.read_parquet(file)
        case "polars":
            import polars

            return polars.read_parquet(file)
        case "pyarrow":
            import pyarrow.parquet

            return pyarrow.parquet.read_table(file)
        case "duckdb":
            import duckdb

            return duckdb.sql(f"select * from '{file}'")
        case _:
            return file


def resident() -> float:
    """What the process holds now, MB; the reader's own peak does not count."""
    held = [line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if "VmRSS" in line]
    return float(held[0].split()[1]) * 1024 / MEGA


if __name__ == "__main__":
    main()
