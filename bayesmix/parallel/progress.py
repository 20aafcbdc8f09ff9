"""A progress bar on standard error, where someone is looking."""

from __future__ import annotations

from collections.abc import Iterable


def shown[Item](items: Iterable[Item], total: int, label: str, *, transient: bool = False) -> Iterable[Item]:
    """The items one after the other, with a bar and the time left; ``transient`` bars go away at the end."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, label, total=total, console=console, disable=not console.is_terminal, transient=transient)
