"""The application that commands register with: its help, its exit statuses, how errors and warnings are shown."""

from __future__ import annotations

import errno
import inspect
import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from bayesmix import errors
from bayesmix.errors import BayesmixError, BayesmixWarning, FitError
from bayesmix.present.cli.output import say

NOT_CONVERGED, BAD_INPUT, BUG, INTERRUPTED, CLOSED = 1, 2, 3, 130, 141
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}  # of disks: nothing that a program does wrong


class _PlainFlags:
    """Help in which flags and arguments have no type: what they are can be seen."""

    def get_params(self, ctx: Any) -> Any:
        """Options and arguments."""
        found = super().get_params(ctx)  # type: ignore[misc] # of typer's command
        for parameter in found:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
            elif isinstance(parameter, TyperArgument):
                parameter.display_type_rich = lambda **_: None  # type: ignore[method-assign]
        return found


class Command(_PlainFlags, TyperCommand):
    """A command."""


class Commands(_PlainFlags, TyperGroup):
    """Commands that report the errors of bayesmix as one message."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the arguments; the help is printed here."""
        with _output():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            with _output(), _short_warnings():
                return super().invoke(ctx)
        except BayesmixError as error:
            say(described(error), err=True)
            raise typer.Exit(status_of(error)) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def taken_apart(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters that are records of options stand for these, one option a field."""
    declared = inspect.signature(command, eval_str=True)
    records: dict[str, Any] = {
        name: one.annotation for name, one in declared.parameters.items() if is_dataclass(one.annotation)
    }

    @wraps(command)
    def taken(**typed: Any) -> None:
        for name, record in records.items():
            typed[name] = record(**{one.name: typed.pop(one.name) for one in fields(record)})
        command(**typed)

    options = [
        option
        for name, one in declared.parameters.items()
        for option in (_options_of(records[name]) if name in records else [one.replace(kind=one.KEYWORD_ONLY)])
    ]
    taken.__signature__ = declared.replace(parameters=options)  # type: ignore[attr-defined] # read by inspect
    taken.__annotations__ = {one.name: one.annotation for one in options}
    return taken


def _options_of(record: Any) -> Iterator[inspect.Parameter]:
    types = get_type_hints(record, include_extras=True)
    for one in fields(record):
        kind = inspect.Parameter.KEYWORD_ONLY
        yield inspect.Parameter(one.name, kind, default=one.default, annotation=types[one.name])


class Application(typer.Typer):
    """Commands of one kind, whose parameters may be records of options."""

    def command(self, name: str | None = None, **options: Any) -> Any:
        """Register a command."""
        register = super().command(name, **{"cls": Command, **options})
        return lambda function: register(taken_apart(function))


app = Application(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def described(error: BayesmixError) -> str:
    """Kind and message of an error; of the kinds that are no class of their own to users, the public one."""
    kind = next(one for one in type(error).__mro__ if one.__module__ == errors.__name__)
    return f"{kind.__name__}: {error}"


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


MATTER = ("numpy", "scipy", "pandas", "pymc", "pytensor", "nutpie", "arviz", "xarray", "zarr", "bambi")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from bayesmix import __version__

        typer.echo(f"bayesmix {__version__}\nPython {platform.python_version()}")
        typer.echo("\n".join(f"{package} {version(package)}" for package in MATTER))
        raise typer.Exit


@app.callback(
    epilog=examples(
        'bayesmix fit "Reaction ~ Days + (Days | Subject)" sleepstudy',
        'bayesmix compare "y ~ x + (x | g)" my.csv --report my.html',
        "bayesmix compare esoph_lmm",
        "Exit status: 0 fitted, 1 did not converge, 2 bad input or no room for the output.",
    )
)
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the versions of what results depend on."
        ),
    ] = False,
) -> None:
    """Hierarchical models from an lme4 formula: the posterior and the point estimate, side by side."""


@contextmanager
def _output() -> Iterator[None]:
    """Leave without a word where nobody reads on, as in ``| head -1``; with one message where the disk is full."""
    try:
        yield
    except (BrokenPipeError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):  # that is Rich's
            raise
        _discard(sys.stdout, sys.stderr)
        raise typer.Exit(CLOSED) from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        _discard(sys.stdout)
        name = "output" if error.filename is None else f"file `{error.filename}`"
        say(f"The {name} cannot be written: {error.strerror}.", err=True)
        raise typer.Exit(BAD_INPUT) from None


def _discard(*streams: Any) -> None:
    """Let what streams still hold go nowhere: Python writes it when it ends, and would complain."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        for stream in streams:
            with suppress(OSError, ValueError):  # those of tests are no files
                os.dup2(nowhere.fileno(), stream.fileno())


@contextmanager
def _short_warnings() -> Iterator[None]:
    """Show the warnings of bayesmix as one line each, and those of others not at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", BayesmixWarning)
        warnings.showwarning = lambda message, *_, **__: say(f"Warning: {message}", err=True)
        yield
