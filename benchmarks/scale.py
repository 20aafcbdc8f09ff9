"""Models of data that stay where they are: seconds and memory beside one plain group-by of the same file.

    uv run --group dev python benchmarks/scale.py [--rows 5e7] [--levels 1e5]
    uv run --group dev python benchmarks/scale.py --growth [--rows 5e7] [--axes "levels,effects"]
    uv run --group dev python benchmarks/scale.py --equal [--rows 1e6]

DuckDB writes a Parquet file of that size into a temporary folder. *Plain* is one query for the number of rows and the
means by group. Each measurement is a process of its own, whose peak is its own; all have the cores that there are.
At 2e6 rows the same estimate is made in memory, too, and the largest relative difference is printed.
With ``--growth`` CPU seconds of model, estimate and posterior and bytes beyond those of a small fit are printed for
more and more rows, levels, random effects and columns, each with the exponent between it and the case before. With
``--equal`` zeros and ones, ten thousand different rows, are held against successes of these ten thousand.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

FORMULA = "y ~ x + (x | g)"
SMALL = 2_000_000  # rows of the comparison with the estimate in memory
WITHIN = 10.0  # times the plain query that estimate and posterior may take together
PEAK = 1.5e9  # bytes
SAME = 1e-10  # largest relative difference of an estimate or the criterion
ROWS = """
with noise as (
    select (hash(i * 7 + 1) % {levels})::int as g, (hash(i * 13 + 2) % 1000003) / 1000003.0 * 4 - 2 as x,
        ((hash(i * 31 + 5) % 1000000007) + 1) / 1000000009.0 as u, (hash(i * 17 + 3) % 1000000007) / 1000000007.0 as v
    from range({rows}) as t(i)
)
select g, x, 1.5 + 0.7 * x + 1.1 * sin(g * 12.9898) + 0.4 * cos(g * 78.233) * x
    + sqrt(-2 * ln(u)) * cos(2 * pi() * v) as y
from noise
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=float, default=5e7)
    parser.add_argument("--levels", type=float, default=1e5)
    parser.add_argument("--growth", action="store_true", help="rows, levels, effects and columns that grow")
    parser.add_argument("--axes", help="what grows, of rows, levels, effects, columns; all of them by default")
    parser.add_argument("--equal", action="store_true", help="rows most of which are equal")
    parser.add_argument("--case", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        what, file = options.case
        print(json.dumps(CASES[what](file) if what in CASES else fits(what, file)))
        return
    if options.growth:
        growth(int(options.rows), options.axes.split(",") if options.axes else list(SIZES))
        return
    if options.equal:
        equal(int(options.rows))
        return
    rows, levels = int(options.rows), int(options.levels)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        write(file, rows, levels)
        size = file.stat().st_size / 1e9
        print(f"{FORMULA}: {rows:,} rows, {levels:,} levels, {size:.1f} GB of Parquet")
        plain = in_a_process("plain", file)
        report("plain group-by", plain, plain)
        found = in_a_process("fits", file)
        report("REML and posterior", found, plain)
        print(
            f"\nat most {WITHIN:g} times the plain query: {verdict(found['seconds'] <= WITHIN * plain['seconds'])};",
            end="",
        )
        print(f" under {PEAK / 1e9:g} GB: {verdict(found['peak'] <= PEAK)}")
        file.unlink()
        write(file, SMALL, min(levels, SMALL // 20))
        difference = in_a_process("difference", file)["difference"]
    print(
        f"estimate in memory at {SMALL:,} rows: {difference:.1e} away, at most {SAME:g}: {verdict(difference <= SAME)}"
    )


def write(file: Path, rows: int, levels: int) -> None:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set preserve_insertion_order = false")
    query = ROWS.format(rows=rows, levels=levels)
    connection.execute(f"copy ({query}) to '{file}' (format parquet, row_group_size 500000)")


def in_a_process(case: str, file: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--case", case, str(file)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def report(what: str, row: dict[str, float], plain: dict[str, float]) -> None:
    ratio = row["seconds"] / plain["seconds"]
    parts = ", ".join(f"{name} {row[name]:.1f}" for name in ("model", "estimate", "posterior") if name in row)
    times = f"{row['seconds']:>7.2f} s {row['cpu']:>7.2f} CPU s {row['peak'] / 1e6:>6.0f} MB"
    print(f"{what:<20} {times} {ratio:>6.1f}x {parts}")


def verdict(holds: bool) -> str:
    return "yes" if holds else "NO"


def spent(begin: float) -> dict[str, float]:
    return {
        "seconds": time.perf_counter() - begin,
        "cpu": time.process_time(),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0,
    }


def plain_query(file: str) -> dict[str, float]:
    import duckdb

    begin = time.perf_counter()
    duckdb.connect().execute(f"select g, count(*), avg(x), avg(y) from read_parquet('{file}') group by g").fetchnumpy()
    return spent(begin)


def both_fits(file: str) -> dict[str, float]:
    import bayesmix as bmx

    begin = time.perf_counter()
    model = bmx.Model(FORMULA, file, where="source")
    read = time.perf_counter()
    estimate = model.estimate()
    estimated = time.perf_counter()
    post = model.sample(seed=1, progress=False)
    assert estimate.converged
    assert post.converged
    times = {"model": read - begin, "estimate": estimated - read, "posterior": time.perf_counter() - estimated}
    return spent(begin) | times


def difference_from_memory(file: str) -> dict[str, float]:
    import bayesmix as bmx

    one, other = (bmx.Model(FORMULA, file, where=where).estimate() for where in ("memory", "source"))
    numbers = [fit.parameters()["estimate"].to_numpy() for fit in (one, other)]
    unit = np.maximum(np.abs(numbers[0]), 0.01)  # a correlation may be next to zero
    return {
        "difference": max(
            abs(other.criterion / one.criterion - 1.0), float(np.max(np.abs(numbers[1] - numbers[0]) / unit))
        ),
    }


# ---- growth -----------------------------------------------------------------------------------------------------

WIDE = "select (hash(i * 7 + 1) % {levels})::int as g, {columns}, {response} as y from range({rows}) as t(i)"
UNIFORM = "(hash(i * {a} + {b}) % 1000003) / 1000003.0 * 4 - 2"
TIMES = ("model", "estimate", "posterior")
DRAWS = 250  # of a chain, where data grow
SIZES: dict[str, list[tuple[int, int, int, int]]] = {  # rows, levels, effects of a level, columns
    "rows": [(n, 1_000, 2, 2) for n in (100_000, 1_000_000, 10_000_000, 50_000_000)],
    "levels": [(2_000_000, J, 2, 2) for J in (1_000, 10_000, 100_000, 1_000_000)],
    "effects": [(1_000_000, 1_000, k, 7) for k in (1, 2, 4, 6)],
    "columns": [(100_000, 1_000, 1, p) for p in (2, 20, 200)],
}


def growth(most: int, axes: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        base = grown(file, (1_000, 10, 1, 2))["peak"]
        print(f"CPU seconds and bytes beyond {base / 1e6:.0f} MB of a small fit, with exponents")
        for name, sizes in ((name, SIZES[name]) for name in axes):
            print(f"\n{name:<9}{'':>11}" + "".join(f"{what:>18}" for what in (*TIMES, "MB")))
            axis, before = list(SIZES).index(name), None
            for size in (size for size in sizes if size[0] <= most):
                row = grown(file, size)
                row["bytes"] = max(row["peak"] - base, 1.0)
                numbers = [row[what] for what in (*TIMES, "bytes")]
                print(f"{'':<9}{size[axis]:>11,}" + words(numbers, before, size[axis]), flush=True)
                before = (numbers, size[axis])
            if name == "columns":
                ratio = (row["model"] + row["estimate"]) / row["plain"]
                print(
                    f"at most 3 times plain least squares, {row['plain']:.2f} s: {verdict(ratio <= 3.0)}, {ratio:.1f}"
                )


def words(numbers: list[float], before: tuple[list[float], int] | None, size: int) -> str:
    parts = []
    for j, number in enumerate(numbers):
        shown = f"{number / 1e6:.0f}" if j == len(TIMES) else f"{number:.2f}"
        slope = "" if before is None else f"({np.log(number / before[0][j]) / np.log(size / before[1]):+.2f})"
        parts.append(f"{shown:>10} {slope:>7}")
    return "".join(parts)


def grown(file: Path, size: tuple[int, int, int, int]) -> dict[str, float]:
    rows, levels, k, p = size
    import duckdb

    names = [f"x{j}" for j in range(1, p)]
    columns = ", ".join(f"{UNIFORM.format(a=13 + 2 * j, b=2 + j)} as {name}" for j, name in enumerate(names))
    noise = " + ".join(f"({UNIFORM.format(a=31 + 2 * j, b=5 + j)})" for j in range(50, 54))
    g = f"(hash(i * 7 + 1) % {levels})"
    slopes = [f"0.5 * sin({g} * {12.9898 + j}) * ({UNIFORM.format(a=13 + 2 * j, b=2 + j)})" for j in range(k - 1)]
    response = " + ".join([f"sin({g})", *slopes, noise])
    query = WIDE.format(levels=levels, columns=columns, rows=rows, response=response)
    connection = duckdb.connect()
    connection.execute("set preserve_insertion_order = false")
    connection.execute(f"copy ({query}) to '{file}' (format parquet, row_group_size 500000)")
    connection.close()
    formula = f"y ~ {' + '.join(names)} + ({' + '.join(['1', *names[: k - 1]])} | g)"
    return in_a_process(formula, file)


def fits(formula: str, file: str) -> dict[str, float]:
    import bayesmix as bmx

    is_wide = formula.count("+") > 20
    data = bmx.read_data(file) if is_wide else file
    found = least_squares(data) if is_wide else {}
    begin = [time.process_time()]
    model = bmx.Model(formula, data, where="memory" if is_wide else "source")
    begin.append(time.process_time())
    model.estimate()
    begin.append(time.process_time())
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    model.sample(draws=DRAWS, seed=1, progress=False)
    begin.append(time.process_time())
    return found | dict(zip(TIMES, np.diff(begin).tolist(), strict=True))


def least_squares(data: Any) -> dict[str, float]:
    X = np.column_stack([np.ones(len(data)), *(data[name] for name in data.columns if name.startswith("x"))])
    y, begin = np.asarray(data["y"]), time.process_time()
    np.linalg.lstsq(X, y, rcond=None)
    return {"plain": time.process_time() - begin}


# ---- rows that are equal ----------------------------------------------------------------------------------------


def equal(rows: int) -> None:
    print(f"zeros and ones, {rows:,} rows of 10,000 different ones, (x | g) of 500 levels; CPU seconds")
    found = {case: in_a_process(case, Path(str(rows))) for case in ("few", "all", "source")}
    for case, row in found.items():
        print(
            f"{case:<8}" + "".join(f"{what} {row[what]:>7.2f}   " for what in TIMES) + f"{row['peak'] / 1e6:>6.0f} MB"
        )
    for what in TIMES[1:]:
        ratio = found["all"][what] / found["few"][what]
        print(f"{what}: {ratio:.2f} times that of 10,000 rows, at most 1.5: {verdict(ratio <= 1.5)}")


def equal_rows(rows: str, case: str) -> dict[str, float]:
    import duckdb
    import pandas as pd

    import bayesmix as bmx

    rng, n = np.random.default_rng(1), int(rows)
    g, x = rng.integers(0, 500, n), rng.integers(0, 20, n) / 10.0
    b = rng.standard_normal((500, 2)) * [0.7, 0.3]
    y = rng.random(n) < 1.0 / (1.0 + np.exp(-(0.2 + 0.5 * x + b[g, 0] + b[g, 1] * x)))
    data = pd.DataFrame({"y": y.astype(int), "x": x, "g": g})
    formula, options = "y ~ x + (x | g)", {"family": "bernoulli"}
    if case == "few":
        data = data.groupby(["x", "g"]).y.agg(s="sum", n="count").reset_index()
        formula, options = "s | trials(n) ~ x + (x | g)", {"family": "binomial"}
    if case == "source":
        data, options["where"] = duckdb.connect().from_df(data), "source"
    begin = [time.process_time()]
    model = bmx.Model(formula, data, **options)
    begin.append(time.process_time())
    model.estimate()
    begin.append(time.process_time())
    model.sample(seed=1, progress=False)
    begin.append(time.process_time())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return {"peak": peak} | dict(zip(TIMES, np.diff(begin).tolist(), strict=True))


CASES = {
    "plain": plain_query,
    "fits": both_fits,
    "difference": difference_from_memory,
    **{case: partial(equal_rows, case=case) for case in ("few", "all", "source")},
}


if __name__ == "__main__":
    main()
