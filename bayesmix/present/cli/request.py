"""What a command is to fit: a model file, or a formula and data, with the options that go with each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from bayesmix.errors import SpecError, nearest
from bayesmix.present.cli.option_records import OF_TEXT, Options
from bayesmix.present.cli.options import ESTIMATES, SAMPLERS

if TYPE_CHECKING:
    from bayesmix.data.model_file import Figure, ModelFile
    from bayesmix.data.relation import Relation
    from bayesmix.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A model to be fitted, and what is known of it."""

    name: str
    title: str
    model: Model
    method: str = "auto"  # of the estimate
    figures: tuple[Figure, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)


def read(text: str, data: str | None, options: Options, priors: Sequence[str] | None = None) -> Request:
    """Build the model of a model file, or of a formula on data.

    Raises
    ------
    BayesmixError
        If there is no such file or data set, something in them is wrong, or an option does not go with them.
    """
    text = decoded(text)
    if is_formula(text):
        return _of_formula(text, data, _decoded(options), read_priors(priors or ()))
    _check_tilde(text, data)
    given = options.given
    if data is not None:
        raise SpecError(f"`{text}` is not a formula, and a model file brings its own data: leave `{data}` out.")
    if given:
        raise SpecError(f"A model file says its own {given[0]}: leave --{given[0]} out, or give a formula and data.")
    from bayesmix.data.model_file import load_model_file

    return of_file(load_model_file(text, outside=options.outside), priors=read_priors(priors or ()))


def decoded(text: str) -> str:
    """What was typed, where the locale knows ASCII only and terminals send UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _decoded(options: Options) -> Options:
    return replace(options, **{name: _decoded_value(getattr(options, name)) for name in options.given})


def _decoded_value(value: Any) -> Any:
    if isinstance(value, str):
        return decoded(value)
    return list(map(decoded, value)) if isinstance(value, Sequence) else value


def _check_tilde(text: str, data: str | None) -> None:
    """Say of a formula that has `=` for its `~` what to write."""
    left, sign, right = text.partition("=")
    if sign and (data is not None or "|" in right):
        raise SpecError(f'A formula has `~` where `{text}` has `=`: write "{left.strip()} ~ {right.strip(" =")}".')


def is_formula(text: str) -> bool:
    """Whether it is no name and no path of a model file."""
    return "~" in text and not text.endswith(".toml")


def _of_formula(text: str, data: str | None, options: Options, priors: Any) -> Request:
    from bayesmix.model import Model

    if data is None:
        raise SpecError(
            "A formula needs data: give a CSV or other file after it, or a name that `bayesmix data` lists."
        )
    name = decoded(Path(data).name)
    formulas = [text, *(options.formula or ())]
    model = Model(
        formulas if len(formulas) > 1 else text,
        _data(data, options),
        _by_name(options.family, "family") or "gaussian",
        _by_name(options.link, "link"),
        priors,
        options.weights,
        options.offset,
        rescor=options.rescor,
        data2=_relations(options.data2 or ()),
        contrasts=_pairs(options.contrasts or (), '--contrasts "recipe=sum"'),
        start=_starts(options.start or ()),
        where=options.where or "memory",
        data_name=name,
    )
    return Request(Path(name).stem, "; ".join(formulas), model)


def _relations(texts: Sequence[str]) -> dict[str, Relation] | None:
    """Relations of levels by name, each of a file."""
    from bayesmix.data.relation_files import read_relation

    named = _pairs(texts, '--data2 "A=pedigree.csv"') or {}
    return {name: read_relation(file, name) for name, file in named.items()} or None


def _starts(texts: Sequence[str]) -> dict[str, float] | None:
    """``["asym=200", "mid=700"]``, also ``["asym=200,mid=700"]``, as numbers by name."""
    example = "--start asym=200 --start mid=700"
    named = _pairs([one for text in texts for one in text.split(",")], example) or {}
    wrong = next((f"{name}={value}" for name, value in named.items() if not _is_number(value)), None)
    if wrong is not None:
        raise SpecError(f"`{wrong}` is not a name and a number: write {example}.")
    return {name: float(value) for name, value in named.items()} or None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def of_file(file: ModelFile, *, priors: Any = None) -> Request:
    """The model of a model file, with other priors if any are given."""
    from bayesmix.model import build_model

    model = build_model(file if priors is None else replace(file, priors=priors))
    return Request(file.name, file.description or file.name, model, file.method, file.figures, file.data.units)


def _data(text: str, options: Options) -> Any:
    """A file, or a path that stays where it is, or a data set."""
    from bayesmix.data.files import DataFile

    frame = _frame(text, options)
    if options.where in (None, "memory") or not isinstance(frame, DataFile):
        return frame
    given = next((name for name in OF_TEXT if getattr(options, name)), None)
    if given is not None:
        raise SpecError(f"--{given} is for text that is read into memory: leave it or --where {options.where} out.")
    return str(frame.path)


def _frame(text: str, options: Options) -> Any:
    """A file if there is one or the name has an ending, a data set otherwise."""
    from bayesmix.data.datasets import load_dataset
    from bayesmix.data.files import DataFile, is_address

    path = Path(text)
    if is_address(text) or path.suffix or path.exists() or len(path.parts) > 1:
        return DataFile(path, options.sep, options.decimal, options.encoding, tuple(options.na or ()))
    return load_dataset(text)


def read_priors(texts: Sequence[str]) -> str | Mapping[str, str] | None:
    """``["sd(g)=HalfNormal(2)"]`` as a dictionary; a word without a name is a preset."""
    words = [text for text in texts if "=" not in text]
    if len(words) > 1 or any("(" in word for word in words):
        raise SpecError(f'Prior `{words[-1]}` has no name: write --priors "sd(g)=HalfNormal(2)".')
    named = _pairs([text for text in texts if "=" in text], "")
    if named is None:
        return words[0] if words else None
    return {**({"preset": words[0]} if words else {}), **named}


def _by_name(texts: Sequence[str] | None, option: str) -> str | Mapping[str, str] | None:
    """One word, or words by response: ``["a=gaussian", "b=poisson"]``; a response may have ``=`` in it."""
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    pairs = [text.rpartition("=") for text in texts]
    unnamed = next((value for name, _, value in pairs if not (name.strip() and value.strip())), None)
    if unnamed is not None:
        raise SpecError(f"--{option} `{unnamed}` has no response: write --{option} RESPONSE={unnamed} for each.")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _pairs(texts: Sequence[str], example: str) -> dict[str, str] | None:
    found = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not (name and sign and value):
            raise SpecError(f"`{text}` is not a name and a value: write {example}.")
        found[name] = value
    return found or None


# ---- methods ----------------------------------------------------------------------------------------------------


def is_sampler(method: Any) -> TypeGuard[str]:
    """Whether a method draws from the posterior."""
    return isinstance(method, str) and method in SAMPLERS


def check_method(method: Any, given: Sequence[str]) -> None:
    """Refuse methods that do not exist, and options of a posterior where none is sampled."""
    _check_name(method, (*ESTIMATES, *SAMPLERS))
    if given and not is_sampler(method):
        known = ", ".join(SAMPLERS)
        raise SpecError(f"--{given[0]} belongs to a posterior: add --posterior, or --method with one of {known}.")


def check_estimate(method: Any) -> None:
    """Refuse methods that do not estimate."""
    if is_sampler(method):
        raise SpecError(f"--method is that of the estimate here: give --sampler {method} instead.")
    _check_name(method, ESTIMATES)


def _check_name(method: Any, known: Sequence[str]) -> None:
    if isinstance(method, str) and method and method not in known:
        raise SpecError(f"Method `{method}` does not exist.{nearest(method, known)} Methods: {', '.join(known)}.")
