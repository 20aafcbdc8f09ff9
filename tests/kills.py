"""Processes killed (-9) at random moments: what they were writing, and what has to be there afterwards.

`python tests/kills.py 200` kills so many and prints a line for each kind of work; `python tests/kills.py steps` kills
before every change in the folder that is written to, without chance: at moments of microseconds, too. Children are
forked, so that a kill costs no start of Python; nothing that has threads of its own runs in the parent.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import bayesmix as bmx
from bayesmix.errors import DataError
from bayesmix.results.criticism import bootstrap, elpd
from bayesmix.results.storage import sampling_run

Array = np.ndarray
DRAWS = 100


def run_in_child(work: Callable[[], object]) -> int:
    """The process id of a fork that does the work and ends."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - till the end of the process
        work()
        code = 0
    finally:
        os._exit(code)


def finished(work: Callable[[], object]) -> float:
    """Do the work in a fork, to its end; the seconds that it took."""
    start = time.monotonic()
    status = os.waitpid(run_in_child(work), 0)[1]
    assert status == 0, "the work failed"
    return time.monotonic() - start


def killed(work: Callable[[], object], seconds: float) -> bool:
    """Do the work in a fork that is killed after so long; false if it had ended before."""
    child = run_in_child(work)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


CHANGES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link")


def changes(folder: Path, each: Callable[[], None]) -> None:
    """Call a function before each change in a folder, not in those below it, from now on, in this process."""
    own = os.path.realpath(folder)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or (event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        path = os.path.realpath(str(arguments[0]))
        if os.path.dirname(path) == own and not (event == "os.mkdir" and os.path.exists(path)):
            each()

    sys.addaudithook(hook)


def counted(work: Callable[[], object], folder: Path) -> int:
    """Do the work in a fork; how many changes in the folder it makes."""
    reader, writer = os.pipe()

    def counting() -> None:
        changes(folder, lambda: os.write(writer, b".") and None)
        work()

    child = run_in_child(counting)
    os.close(writer)
    with open(reader, "rb") as file:
        number = len(file.read())
    assert os.waitpid(child, 0)[1] == 0, "the work failed"
    return number


def killed_before(work: Callable[[], object], folder: Path, number: int) -> bool:
    """Do the work in a fork that is killed before such a change; false if it has not so many."""
    left = iter(range(number))

    def each() -> None:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    def killing() -> None:
        changes(folder, each)
        work()

    return os.WIFSIGNALED(os.waitpid(run_in_child(killing), 0)[1])


# ---- what is done ---------------------------------------------------------------------------------------------------


@cache
def model() -> bmx.Model:
    return bmx.Model("Yield ~ 1 + (1 | Batch)", bmx.load_dataset("Dyestuff"))


@cache
def estimate() -> Any:
    return model().estimate()


@cache
def posteriors() -> tuple[Any, Any]:
    """Two that no one takes for each other."""
    return tuple(model().sample(100, 2, seed=seed, method="marginal", progress=False) for seed in (1, 2))


@dataclass
class Work:
    """A kind of work on a file or folder."""

    folder: Path
    name: str = ""
    expected: Any = None
    progress: int = 0  # what is there so far, which must not become less

    @property
    def target(self) -> Path:
        return self.folder / self.name

    def do(self) -> None:
        """What is killed."""
        raise NotImplementedError

    def check(self) -> None:
        """What has to be there after a kill."""

    def check_end(self) -> None:
        """What has to be there after work that came to its end, with nothing beside it."""
        there = [path.name for path in self.folder.iterdir()]
        assert there == [self.name], there

    def clear(self) -> None:
        self.progress = 0
        shutil.rmtree(self.folder)
        self.folder.mkdir()


def arrays_of(post: Any) -> list[Array]:
    return [post.values.beta, *post.values.sd, *post.values.b, post.values.dispersion]


def is_same(post: Any, expected: list[Array]) -> bool:
    return all(map(np.array_equal, arrays_of(post), expected))


def loaded(path: Path) -> Any:
    """A fit, or None where there is none yet; one that is damaged is an error."""
    try:
        return bmx.load(path)
    except DataError as error:
        if "not a saved fit" in str(error) or "no saved fit" in str(error):
            return None
        raise


@dataclass
class Run(Work):
    """Draws that are kept as they come."""

    name: str = "run.zarr"
    method: str = "marginal"

    def __post_init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            finished(lambda: self.sample(self.target))
            self.expected = arrays_of(bmx.load(self.target))
        self.clear()

    def sample(self, path: Path) -> None:
        warnings.simplefilter("ignore")
        sampling_run.PART = 20
        model().sample(DRAWS, 2, seed=4, method=self.method, checkpoint=path, progress=False)

    def do(self) -> None:
        self.sample(self.target)

    def check(self) -> None:
        if (found := loaded(self.target)) is not None:
            assert is_same(found, self.expected)  # the fit has taken its place
            return
        folders = [path for path in self.target.iterdir() if path.name.isdigit()] if self.target.exists() else []
        assert len(folders) >= self.progress, "parts that were there are lost"
        self.progress = len(folders)
        fitted, priors = model()._fitted, model().priors
        for path in sorted(folders):
            start = 20 * int(path.name)
            part = sampling_run.read_part(path, fitted, priors)
            assert np.array_equal(part.values.beta, self.expected[0][:, start : start + 20])

    def check_end(self) -> None:
        super().check_end()
        assert is_same(bmx.load(self.target), self.expected)


@dataclass
class Nuts(Run):
    """The same by NUTS."""

    method: str = "nuts"


@dataclass
class Cached(Run):
    """Draws in a folder of those that were asked for."""

    name: str = "cache"

    def sample(self, path: Path) -> None:
        warnings.simplefilter("ignore")
        sampling_run.PART = 20
        if path.name == "cache":
            model().sample(DRAWS, 2, seed=4, method="marginal", cache=path, progress=False)
        else:
            super().sample(path)

    def __post_init__(self) -> None:
        finished(lambda: super(Cached, self).sample(self.folder / "run.zarr"))
        self.expected = arrays_of(bmx.load(self.folder / "run.zarr"))
        self.clear()

    def check(self) -> None:
        for path in self.folder.glob("cache/*.zarr"):
            found = loaded(path)
            assert found is None or is_same(found, self.expected)

    def check_end(self) -> None:
        assert [path.name for path in self.folder.iterdir()] == ["cache"]
        (path,) = (self.folder / "cache").iterdir()
        assert is_same(bmx.load(path), self.expected)


@dataclass
class Save(Work):
    """A fit in the place of another, again and again."""

    name: str = "fit.zarr"

    def do(self) -> None:
        for turn in range(6):
            posteriors()[turn % 2].save(self.target, overwrite=True)

    def check(self) -> None:
        found = loaded(self.target)
        assert found is not None or not self.progress, "a fit that was there is lost"
        if found is None:
            return
        self.progress = 1
        assert sum(is_same(found, arrays_of(one)) for one in posteriors()) == 1

    def check_end(self) -> None:
        super().check_end()
        assert is_same(bmx.load(self.target), arrays_of(posteriors()[1]))


@dataclass
class Extended(Work):
    """A fit that is loaded, goes on, and takes its own place."""

    name: str = "fit.zarr"

    def __post_init__(self) -> None:
        finished(self.do)
        self.expected = arrays_of(bmx.load(self.target))
        self.clear()

    def do(self) -> None:
        warnings.simplefilter("ignore")
        post = loaded(self.target) or posteriors()[0]
        while post.draws.parameters.lead[1] < 160:
            post = post.extend(20, progress=False)
            post.save(self.target, overwrite=True)

    def check(self) -> None:
        found = loaded(self.target)
        draws = 0 if found is None else found.draws.parameters.lead[1]
        assert draws >= self.progress, "draws that were there are lost"
        self.progress = draws
        assert found is None or is_same(found, [array[:, :draws] for array in self.expected])

    def check_end(self) -> None:
        super().check_end()
        assert is_same(bmx.load(self.target), self.expected)


@dataclass
class Report(Work):
    """A report in the place of another: two pages, already rendered, so that most of the time is that of writing."""

    name: str = "report.html"
    pages: list[str] = field(default_factory=lambda: ["<p>one</p>" * 300_000, "<p>another</p>" * 300_000])

    def do(self) -> None:
        from bayesmix.present.report import report as module

        comparison = bmx.compare(posteriors()[0], estimate(), causes=False)
        for turn in range(8):
            module.render = lambda *_, turn=turn, **options: self.pages[turn % 2]
            bmx.report(comparison, self.target)

    def check(self) -> None:
        if self.target.exists():
            self.progress = 1
            assert self.target.read_text(encoding="utf-8") in self.pages
        assert self.target.exists() >= self.progress

    def check_end(self) -> None:
        super().check_end()
        assert self.target.read_text(encoding="utf-8") == self.pages[1]


@dataclass
class Study(Work):
    """A study whose replicates are kept line by line."""

    name: str = "study.jsonl"

    def __post_init__(self) -> None:
        with tempfile.TemporaryDirectory() as other:
            finished(lambda: self.study(Path(other) / "a.jsonl"))
            self.expected = self.results(Path(other) / "a.jsonl")

    def study(self, path: Path) -> None:
        bmx.studies.calibrate(model(), 8, method="marginal", progress=False, checkpoint=path)

    def results(self, path: Path) -> dict[str, Any]:
        _, *lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        return {line["job"]: line["result"] for line in lines}

    def do(self) -> None:
        warnings.simplefilter("ignore")
        self.study(self.target)

    def check(self) -> None:
        text = self.target.read_text(encoding="utf-8") if self.target.exists() else ""
        _, *lines = text.split("\n") if text else [""]
        found = dict[str, Any]()
        for line in lines[:-1]:
            try:
                one = json.loads(line)
            except json.JSONDecodeError:
                continue  # was cut off, and is done again
            found[one["job"]] = one["result"]
        assert len(found) >= self.progress, "replicates that were finished are lost"
        self.progress = len(found)
        assert all(self.is_same(one, self.expected[job]) for job, one in found.items())

    def is_same(self, found: Any, expected: Any) -> bool:
        return json.dumps(found) == json.dumps(expected)

    def check_end(self) -> None:
        super().check_end()
        self.check()
        assert self.progress == len(self.expected)


@dataclass
class Bootstrap(Study):
    """Replicates of the bootstrap."""

    def study(self, path: Path) -> None:
        bootstrap.PIECE = 10
        estimate().bootstrap(200, progress=False, checkpoint=path)


@dataclass
class Folds(Study):
    """Rows that are left out, fold by fold."""

    def study(self, path: Path) -> None:
        elpd.GOOD_K = -9.0  # so that each row is
        self.left_out(posteriors()[0], progress=False, checkpoint=path)

    def left_out(self, post: Any, **options: Any) -> None:
        post.kfold(10, **options)


@dataclass
class Levels(Folds):
    """Level by level."""

    def left_out(self, post: Any, **options: Any) -> None:
        post.logo(refit="all", **options)


@dataclass
class Rows(Folds):
    """Row by row."""

    def left_out(self, post: Any, **options: Any) -> None:
        post.loo(refit=True, **options)


@dataclass
class CompareAll(Study):
    """Lines of `compare --all`, of four small models."""

    def study(self, path: Path) -> None:
        from bayesmix.data import model_file
        from bayesmix.present.cli import compare_all
        from bayesmix.present.cli.steps import Sampling

        model_file.model_names = lambda: ("dyestuff", "esoph_lmm", "dyestuff2", "penicillin")
        compare_all.compare_every(Sampling(60, 2, 1, "marginal"), "json", checkpoint=path, progress=False)

    def is_same(self, found: Any, expected: Any) -> bool:
        return found | {"seconds": 0.0} == expected | {"seconds": 0.0}


KINDS = {"sample": Run, "sample, NUTS": Nuts, "sample, cache": Cached, "save": Save}
KINDS |= {"extend": Extended, "report": Report}
KINDS |= {"study": Study, "bootstrap": Bootstrap, "kfold": Folds, "logo": Levels, "loo": Rows}
KINDS["compare --all"] = CompareAll


# ---- kills ----------------------------------------------------------------------------------------------------------


def kill(kind: str, times: int, folder: Path, rng: np.random.Generator) -> tuple[int, int]:
    """Kill so many processes at random moments of a kind of work; how many were, and how often it came to its end.

    After the last one, and whenever a process was too fast to be killed, the work is done to its end.
    """
    folder.mkdir()
    work: Work = KINDS[kind](folder)
    seconds = finished(work.do)
    work.check_end()
    work.clear()
    hits = ends = 0
    while hits < times:
        if killed(work.do, rng.uniform(0.0, seconds)):
            hits += 1
            work.check()
            if hits < times:
                continue
        finished(work.do)
        work.check_end()
        ends += 1
        work.clear()
    return hits, ends


def kill_before_changes(kind: str, folder: Path, times: int | None = None, first: int = 0) -> tuple[int, int]:
    """Kill before changes of files, each time from the beginning: before how many, and how many kills there were.

    Before every change, or before about so many, at equal steps from ``first`` on (whose multiples of a step count as
    none). After each kill the work is done to its end.
    """
    folder.mkdir()
    work: Work = KINDS[kind](folder)
    number = counted(work.do, folder)
    step = -(-number // times) if times else 1
    places = range(first % step, number, step)
    work.clear()
    hits = 0
    for place in places:
        hits += killed_before(work.do, folder, place)
        work.check()
        finished(work.do)
        work.check_end()
        work.clear()
    return len(places), hits


def steps() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            start = time.monotonic()
            changes, hits = kill_before_changes(kind, Path(folder) / kind)
            seconds = time.monotonic() - start
            print(f"{kind:14} {hits:4} of {changes:4} killed, all as they have to be; {seconds:.0f} s", flush=True)


def main(times: int) -> None:
    shares = {"sample, NUTS": 0.08, "compare --all": 0.08}
    rest = (1.0 - sum(shares.values())) / (len(KINDS) - len(shares))
    seed, total = int(time.time()), 0
    print(f"Seed {seed}", flush=True)
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            start = time.monotonic()
            hits, ends = kill(kind, int(np.ceil(times * shares.get(kind, rest))), Path(folder) / kind, rng)
            total += hits
            took = time.monotonic() - start
            print(f"{kind:14} {hits:4} killed, {ends:3} ends, all as they have to be; {took:.0f} s", flush=True)
    print(f"{total} killed: no draw, replicate or line lost, no store half read, nothing left behind.")


if __name__ == "__main__":
    if sys.argv[1:] == ["steps"]:
        steps()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
