"""What starting NUTS costs: cold and warm cache, another data set, beside nutpie's own compilation of the same model.

    uv run python benchmarks/compile.py

Each line is a fresh process; seconds of CPU, which a busy machine changes less than those of the clock.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

FORMULA = "ncases ~ ncontrols + (1 + ncontrols | agegp)"


def ours() -> None:
    """Steps of `Model.sample(method="nuts")`, then again on other data."""
    start = time.process_time()
    import nutpie
    import pymc

    loaded = time.process_time()
    import bayesmix as bmx

    assert nutpie.__version__, pymc.__version__
    data = bmx.load_dataset("esoph")
    model = bmx.Model(FORMULA, data, family="poisson")
    options = {"method": "nuts", "draws": 4, "chains": 1, "progress": False, "seed": 1}
    model.sample(**options)
    first = time.process_time()
    bmx.Model(FORMULA, data.iloc[:-5], family="poisson").sample(**options)
    second = time.process_time()
    print(
        f"load {loaded - start:5.1f}   first fit {first - loaded:6.1f}   other data {second - first:6.1f}", flush=True
    )


def theirs() -> None:
    """nutpie's compilation of the same model as `to_pymc` has it."""
    start = time.process_time()
    import nutpie
    import pymc

    loaded = time.process_time()
    import bayesmix as bmx

    assert pymc.__version__
    graph = bmx.Model(FORMULA, bmx.load_dataset("esoph"), family="poisson").to_pymc()
    nutpie.compile_pymc_model(graph)
    print(f"load {loaded - start:5.1f}   compile   {time.process_time() - loaded:6.1f}", flush=True)


def run(what: str, cache: str) -> None:
    """Run one part in a process of its own."""
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    environment = os.environ | {"PYTENSOR_FLAGS": f"{flags},base_compiledir={cache}".lstrip(",")}
    print(f"{what:<8}", end="", flush=True)
    subprocess.run([sys.executable, __file__, what], check=True, env=environment)


def main() -> None:
    """Cold, then warm."""
    if len(sys.argv) > 1:
        {"ours": ours, "nutpie": theirs}[sys.argv[1]]()
        return
    for what in ("ours", "nutpie"):
        with tempfile.TemporaryDirectory() as cache:
            for state in ("cold", "warm"):
                print(f"{state}  ", end="", flush=True)
                run(what, cache)


if __name__ == "__main__":
    main()
