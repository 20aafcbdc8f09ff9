"""Progress bars on standard error, where someone is looking."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def shown[Item](items: Iterable[Item], total: int, label: str, *, transient: bool = False) -> Iterable[Item]:
    """The items one after the other, with a bar and the time left; ``transient`` bars go away at the end."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, label, total=total, console=console, disable=not console.is_terminal, transient=transient)


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
