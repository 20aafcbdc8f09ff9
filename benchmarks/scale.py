"""Models of data that stay where they are: seconds and memory beside one plain group-by of the same file.

    uv run --group dev python benchmarks/scale.py [--rows 5e7] [--levels 1e5]

DuckDB writes a Parquet file of that size into a temporary folder. *Plain* is one query for the number of rows and the
means by group. Each measurement is a process of its own, whose peak is its own; all have the cores that there are.
At 2e6 rows the same estimate is made in memory, too, and the largest relative difference is printed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
    parser.add_argument("--case", nargs=2, metavar=("WHAT", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(CASES[options.case[0]](options.case[1])))
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


CASES = {"plain": plain_query, "fits": both_fits, "difference": difference_from_memory}


if __name__ == "__main__":
    main()
