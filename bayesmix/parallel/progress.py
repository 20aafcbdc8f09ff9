"""Progress bars on standard error, where someone is looking, of work that takes longer than a moment."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

AFTER = 1.0  # seconds of work after which something is drawn


def shown[Item](
    items: Iterable[Item], total: int, label: str, *, transient: bool = False, is_shown: bool = True
) -> Iterable[Item]:
    """The items one after the other, with a bar and the time left; ``transient`` bars go away at the end."""
    return _watched(items, total, label, transient) if is_shown else items


def _watched[Item](items: Iterable[Item], total: int, label: str, transient: bool) -> Iterator[Item]:
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with _drawn_later(*columns, transient=transient) as bar:
        if bar is None:
            yield from items
            return
        task = bar.add_task(label, total=total)
        for item in items:
            yield item
            bar.advance(task)


@contextmanager
def working(words: str, *, is_shown: bool = True) -> Iterator[None]:
    """Say what is going on, and for how long, where nothing tells how much of it there is."""
    if not is_shown:
        yield
        return
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description} ..."), TimeElapsedColumn()
    with _drawn_later(*columns, transient=True) as bar:
        if bar is not None:
            bar.add_task(words, total=None)
        yield


@contextmanager
def _drawn_later(*columns: Any, transient: bool) -> Iterator[Progress | None]:
    """A bar that is drawn after a second, so that what is quick does not flicker; None where nobody is looking."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    bar = Progress(*columns, console=console, transient=transient, redirect_stdout=sys.stdout.isatty())
    timer = Timer(AFTER, _start, [bar])
    timer.daemon = True
    timer.start()
    try:
        yield bar
    finally:
        timer.cancel()
        timer.join()
        if bar.live.is_started:
            bar.stop()


def _start(bar: Progress) -> None:
    """Draw a bar, unless there is one already: of the caller's, as a rule, who sees what goes on."""
    from rich.errors import LiveError

    with suppress(LiveError):
        bar.start()


def told(words: str, *, is_shown: bool) -> None:
    """Say something where someone is looking."""
    if is_shown:
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_terminal:
            console.print(words, highlight=False)


class ChainsBar:
    """A bar with the time left, for chains of nutpie that run side by side."""

    def __init__(self, label: str, total: int, *, is_shown: bool) -> None:
        self.label, self.total, self.is_shown = label, total, is_shown
        self.bar: Any = None
        self._chains: dict[int, list[Any]] = {}

    def update(self, chains: list[Any], *, sampler: int = 0) -> None:
        """Called by nutpie from a thread of its own with the chains of a sampler, of which there may be several."""
        self._chains[sampler] = chains
        if self.bar is not None:
            chains = [chain for own in list(self._chains.values()) for chain in own]
            diverged = sum(chain.divergences for chain in chains)
            note = f"{diverged} divergences" if diverged else ""
            self.bar.update(self.bar.task_ids[0], completed=sum(chain.finished_draws for chain in chains), note=note)

    def __enter__(self) -> ChainsBar:
        if self.is_shown:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            words = TextColumn(self.label), BarColumn(), TextColumn("{task.completed}/{task.total} draws")
            note = TextColumn("{task.fields[note]}")
            self.bar = Progress(*words, TimeRemainingColumn(), note, console=Console(stderr=True), transient=True)
            self.bar.add_task("", total=self.total, note="")
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()
