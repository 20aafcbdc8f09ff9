"""The application that commands register with: its help, its exit statuses, how errors and warnings are shown."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bayesmix.errors import BayesmixError, BayesmixWarning, FitError
from bayesmix.present.cli.output import say

NOT_CONVERGED, BAD_INPUT, BUG, INTERRUPTED = 1, 2, 3, 130


class Commands(TyperGroup):
    """Commands that report the errors of bayesmix as one message."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            with _short_warnings():
                return super().invoke(ctx)
        except BayesmixError as error:
            say(described(error), err=True)
            raise typer.Exit(status_of(error)) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def described(error: BayesmixError) -> str:
    """Kind and message of an error."""
    return f"{type(error).__name__}: {error}"


def status_of(error: BayesmixError) -> int:
    """Exit status: what a numerical method could not finish is no bad input."""
    return NOT_CONVERGED if isinstance(error, FitError) else BAD_INPUT


def leave(*, converged: bool) -> None:
    """Leave with the exit status of a fit."""
    if not converged:
        raise typer.Exit(NOT_CONVERGED)


def examples(*commands: str) -> str:
    """The end of a help page."""
    return "\n\n".join(["Examples:", *commands])


def _print_version(wanted: bool) -> None:
    if wanted:
        from bayesmix import __version__

        typer.echo(f"bayesmix {__version__}")
        raise typer.Exit


@app.callback(
    epilog=examples(
        'bayesmix fit "Reaction ~ Days + (Days | Subject)" sleepstudy',
        'bayesmix compare "y ~ x + (x | g)" my.csv --report my.html',
        "bayesmix compare esoph_lmm",
        "Exit status: 0 fitted, 1 did not converge, 2 bad input.",
    )
)
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hierarchical models from an lme4 formula: the posterior and the point estimate, side by side."""


@contextmanager
def _short_warnings() -> Iterator[None]:
    """Show the warnings of bayesmix as one line each, and those of others not at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", BayesmixWarning)
        warnings.showwarning = lambda message, *_, **__: say(f"Warning: {message}", err=True)
        yield
