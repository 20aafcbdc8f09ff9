"""Model files: a formula, the data it is fitted to, and the figures a document prints, in TOML.

::

    description = "Reaction times under sleep deprivation"
    formula = "Reaction ~ Days + (Days | Subject)"  # or a list, ["Reaction ~ Days", "sigma ~ Days"]

    [data]
    dataset = "sleepstudy"  # one that comes with bayesmix; or file = "my.csv", relative to this file
    sha256 = "..."

    [data2]  # relations of levels, `(1 | gr(g, cov = A))`: a matrix with labels, a pedigree, or a tree
    A = { file = "tree.nwk", sha256 = "..." }

    [document]
    title = "..."
    figures.criterion = 1743.6
    [document.figures.parameters]
    Intercept = 251.405
    "sd(Subject, Days)" = 5.922

Figures are written with the digits that the document prints: they are not known better than to half a unit of the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib.resources import files
from os import PathLike
from os.path import isfile
from pathlib import Path
from re import fullmatch
from typing import Any

from bayesmix.data.datasets import load_dataset
from bayesmix.data.named_files import check_content, check_file
from bayesmix.data.relation import Relation
from bayesmix.data.relation_files import RelationSource, relation_sources
from bayesmix.data.toml_text import read_toml
from bayesmix.errors import SpecError, nearest
from bayesmix.hidden_letters import has_hidden

Toml = Mapping[str, Any]

_MODEL = ("name", "description", "formula", "family", "link", "rescor", "priors", "start", "weights", "offset")
_TABLES = ("family", "link", "priors")  # words, or tables by response or parameter
_DATA = ("dataset", "file", "sha256", "description", "source", "licence", "units")
_DOCUMENT = ("title", "section", "call", "source", "licence", "accuracy", "tolerance", "figures", "known")
_KNOWN = ("reason", "tolerance", "values")
_SCALARS = ("n_obs", "criterion", "AIC", "BIC", "logLik", "deviance", "df_resid")
_BY_NAME = ("parameters", "variances")  # whole names: "sd(g, x)", "var(g, x)"; those below are kind(key)
_BY_KEY = ("std_error", "df", "t_value", "z_value", "p_value", "corr_fixef", "scaled_residuals", "n_groups")
_FIGURES = (*_SCALARS, *_BY_NAME, *_BY_KEY, "coef")


@dataclass(frozen=True, slots=True)
class Known:
    """Why a printed figure is not the value of what it names, and what that value is."""

    value: float
    tolerance: float  # relative
    reason: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a document prints."""

    name: str  # "Intercept", "sd(agegp, ncontrols)", "std_error(Intercept)", "coef(agegp, 75+, Intercept)", "AIC"
    value: float
    rounding: float  # half a unit of the last digit printed
    tolerance: float  # relative; zero where the figure has to agree to the last digit printed
    known: Known | None = None


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where the data of a model file are, and what they are."""

    dataset: str | None  # name of one that comes with bayesmix
    file: Path | None
    sha256: str
    description: str = ""
    source: str = ""
    licence: str = ""
    units: Mapping[str, str] = field(default_factory=dict)  # by column
    folder: Path | None = None  # below which the file has to be; None for anywhere

    @property
    def name(self) -> str:
        """What summaries call the data."""
        return self.dataset or str(self.file and self.file.name)

    def load(self) -> Any:
        """Return the data (a frame, or the path of a file), after a look at the checksum.

        Raises
        ------
        DataError
            If there is no such file, or it is not the one that the model file was written for.
        """
        if self.file is not None:
            check_file(self.file, self.sha256, self.folder)
            return self.file
        data = load_dataset(self.name)
        check_content((files("bayesmix.data") / "datasets" / f"{self.name}.csv").read_bytes(), self.sha256, self.name)
        return data


@dataclass(frozen=True, slots=True)
class Document:
    """Where the figures were printed, and how far they can be trusted."""

    title: str = ""
    section: str = ""
    call: str = ""  # the code that printed them
    source: str = ""
    licence: str = ""
    accuracy: str = ""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on its data, with the figures that a document prints for it."""

    name: str
    formula: str | tuple[str, ...]
    data: DataSource
    description: str = ""
    family: str | Mapping[str, str] = "gaussian"
    link: str | Mapping[str, str] | None = None
    rescor: bool = False
    priors: str | Mapping[str, str] | None = None
    start: Mapping[str, float] = field(default_factory=dict)
    weights: str | None = None
    offset: str | None = None
    method: str = "auto"
    data2: Mapping[str, RelationSource] = field(default_factory=dict)  # relations of levels by name
    document: Document = Document()
    figures: tuple[Figure, ...] = ()

    @property
    def text(self) -> str:
        """The formulas in one text, as `Model` takes them."""
        return self.formula if isinstance(self.formula, str) else "; ".join(self.formula)

    @property
    def data_name(self) -> str:
        """What summaries call the data."""
        return self.data.name

    def load_data(self) -> Any:
        """Return the data, after a look at their checksum."""
        return self.data.load()

    def load_relations(self) -> dict[str, Relation] | None:
        """Return the relations of levels by name, after a look at their checksums; None where there are none."""
        return {name: source.load(name) for name, source in self.data2.items()} or None

    def documented_parameters(self) -> dict[str, float]:
        """Return every printed figure by its name; those of parameters have the parameters' names."""
        return {figure.name: figure.value for figure in self.figures}


def model_names() -> tuple[str, ...]:
    """Return the names of the model files that come with bayesmix."""
    return tuple(sorted(path.stem for folder in _folders() for path in folder.glob("*.toml")))


def load_model_file(name_or_path: str | PathLike[str], *, outside: bool = False) -> ModelFile:
    """Read a model file, by the name of one that comes with bayesmix or by its path.

    ``outside``: whether its data may be elsewhere than beside or below it.

    Raises
    ------
    SpecError
        If there is no such file, or something in it cannot be read.
    """
    path = _find(name_or_path)
    toml = read_toml(path)
    try:
        _check_texts(toml)
        return _model_file(toml, path, outside=outside)
    except SpecError as error:
        raise SpecError(f"{path.name}: {error}") from None


def _folders() -> list[Path]:
    """``models`` inside the installed package, or at the top of the source tree."""
    package = Path(__file__).parents[1]
    places = [package / "models"]
    if (package.parent / "pyproject.toml").exists():
        places.append(package.parent / "models")
    return [place for place in places if place.is_dir()][:1]


def _find(name_or_path: str | PathLike[str]) -> Path:
    if not isinstance(name_or_path, str | PathLike):
        raise SpecError(f"A model file is called by its name or path, not {name_or_path!r}.")
    path = Path(name_or_path)
    if path.suffix == ".toml" and isfile(path):  # names that are too long are no error here
        return path
    shipped = [folder / f"{path.stem}.toml" for folder in _folders() if path.parent == Path() and path.stem]
    for candidate in shipped:
        if isfile(candidate):
            return candidate
    known = model_names()
    raise SpecError(
        f"There is no model file `{str(name_or_path)[:200]}`.{nearest(path.stem[:200], known)} Give the path of a TOML"
        f" file, or the name of one that comes with bayesmix: {', '.join(known)}."
    )


# ---- reading ----------------------------------------------------------------------------------------------------


def _model_file(toml: Toml, path: Path, *, outside: bool) -> ModelFile:
    _check_keys(toml, (*_MODEL, "method", "data", "data2", "document"), "The file")
    document = _table(toml, "document")
    _check_keys(document, _DOCUMENT, "[document]")
    words = _words(toml)
    if "name" in words and not fullmatch(r"\w[\w.-]*", words["name"]):
        raise SpecError(f"`name` is made of letters, digits and `_-.`, not {words['name']!r}: files are called by it.")
    return ModelFile(
        data=_data(_table(toml, "data"), path, outside=outside),
        data2=relation_sources(_table(toml, "data2"), path.parent, outside=outside),
        document=Document(**_texts(_without(document, ("tolerance", "figures", "known")), "[document]")),
        figures=tuple(_figures(document)),
        **{"name": path.stem, **words},
    )


def _words(toml: Toml) -> dict[str, Any]:
    """What the model is made of."""
    if "formula" not in toml:
        raise SpecError('The file needs a formula, as in formula = "y ~ x + (x | g)".')
    formula, rescor = toml["formula"], toml.get("rescor", False)
    if not isinstance(rescor, bool):
        raise SpecError(f"The file: `rescor` is true or false, not {rescor!r}.")
    words: dict[str, Any] = {"rescor": rescor}
    if isinstance(formula, list):
        if not all(isinstance(one, str) for one in formula):
            raise SpecError(f'The file: a list of formulas is one of texts, ["y ~ ...", "sigma ~ x"], not {formula!r}.')
        words["formula"] = tuple(formula)
    words |= {key: _texts(toml[key], f"[{key}]") for key in _TABLES if isinstance(toml.get(key), Mapping)}
    words["start"] = {key: _number(value, f"start of `{key}`") for key, value in _table(toml, "start").items()}
    return words | _texts(_without(toml, ("data", "data2", "document", *words)), "The file")


def _data(table: Toml, path: Path, *, outside: bool) -> DataSource:
    _check_keys(table, _DATA, "[data]")
    words = _texts(_without(table, ("units",)), "[data]")
    if ("dataset" in words) == ("file" in words):
        raise SpecError('[data] needs either `dataset = "name"` or `file = "path.csv"`.')
    if "sha256" not in words:
        raise SpecError("[data] needs `sha256`, the checksum of the CSV or Parquet file, as `sha256sum` prints it.")
    if not fullmatch("[0-9a-fA-F]{64}", words["sha256"]):
        raise SpecError(f"[data]: `sha256` has 64 hexadecimal digits, as `sha256sum` prints them: {words['sha256']!r}.")
    dataset, file = words.pop("dataset", None), words.pop("file", None)
    units = _texts(_table(table, "units"), "[data.units]")
    place = path.parent / file if file is not None else None
    folder = None if outside or place is None else path.parent
    return DataSource(dataset, place, units=units, folder=folder, **words)


def _figures(document: Toml) -> Iterator[Figure]:
    tolerance = _tolerance(document, Decimal("1e-3"), "[document]")
    figures = _table(document, "figures")
    _check_keys(figures, _FIGURES, "[document.figures]")
    printed = dict(_flat(figures))
    known = dict(_known(document, printed))
    for name, value in printed.items():
        number = _number(value, f"Figure `{name}`")
        is_exact = name in _SCALARS or name.startswith("n_groups(")  # counts; and criteria, flat at the optimum
        yield Figure(name, number, _half_unit(value), 0.0 if is_exact else tolerance, known.get(name))


def _flat(figures: Toml) -> Iterator[tuple[str, Any]]:
    """Names of the one vocabulary and the numbers as written."""
    for kind, value in figures.items():
        if kind in _SCALARS:
            yield kind, value
        elif kind in _BY_NAME:
            yield from _table(figures, kind).items()
        elif kind in _BY_KEY:
            yield from ((f"{kind}({key})", number) for key, number in _table(figures, kind).items())
        else:
            yield from _flat_coefficients(_table(figures, kind))


def _flat_coefficients(groups: Toml) -> Iterator[tuple[str, Any]]:
    for group in groups:
        for level, coefficients in _table(groups, group).items():
            if not isinstance(coefficients, Mapping):
                raise SpecError(f"[document.figures.coef.{group}]: write `{level} = {{ Intercept = 1.2 }}`.")
            yield from ((f"coef({group}, {level}, {effect})", number) for effect, number in coefficients.items())


def _known(document: Toml, printed: Toml) -> Iterator[tuple[str, Known]]:
    groups = document.get("known", [])
    if not isinstance(groups, list):
        raise SpecError("Known differences are written as tables of a list, [[document.known]].")
    for group in groups:
        if not isinstance(group, Mapping):
            raise SpecError(f"[[document.known]] is a table of reason and values, not {group!r}.")
        _check_keys(group, _KNOWN, "[[document.known]]")
        if not (isinstance(group.get("reason"), str) and group["reason"].strip()):
            raise SpecError("[[document.known]] needs a `reason` that says why the figures differ.")
        tolerance = _tolerance(group, Decimal("1e-4"), "[[document.known]]")
        values = _table(group, "values")
        _check_keys(values, tuple(printed), "[document.known.values]")
        for name, value in values.items():
            yield name, Known(_number(value, f"Known value of `{name}`"), tolerance, " ".join(group["reason"].split()))


def _half_unit(value: Any) -> float:
    exponent = value.as_tuple().exponent if isinstance(value, Decimal) else 0
    return 0.5 * 10.0**exponent if isinstance(exponent, int) else 0.0


# ---- checks -----------------------------------------------------------------------------------------------------


def _check_keys(table: Toml, known: Iterable[str], where: str) -> None:
    keys = tuple(known)
    for key in table:
        if key not in keys:
            raise SpecError(f"{where} has an unknown key `{key}`.{nearest(key, keys)} Known: {', '.join(keys)}.")


def _table(toml: Toml, key: str) -> Toml:
    value = toml.get(key, {})
    if not isinstance(value, Mapping):
        raise SpecError(f"`{key}` is a table of names and values, [{key}] with a line for each, not {value!r}.")
    return value


def _without(table: Toml, keys: Iterable[str]) -> Toml:
    return {key: value for key, value in table.items() if key not in tuple(keys)}


def _texts(table: Toml, where: str) -> dict[str, str]:
    for key, value in table.items():
        if not isinstance(value, str):
            raise SpecError(f'{where}: `{key}` is text, as in {key} = "...", not {value}.')
    return dict(table)


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise SpecError(f"{what} is a number, not {value!r}.")
    number = Decimal(value)
    if not (number.is_finite() and (number.is_zero() or abs(number.adjusted()) < 300)):
        raise SpecError(f"{what} is a finite number that fits into a float, not {number:.6g}.")
    return float(number)


def _tolerance(table: Toml, default: Decimal, where: str) -> float:
    value = _number(table.get("tolerance", default), f"`tolerance` of {where}")
    if not 0.0 <= value < 1.0:
        raise SpecError(f"`tolerance` of {where} is relative, from 0 to below 1, not {value:g}.")
    return value


def _check_texts(toml: Toml) -> None:
    """Refuse control characters: names and descriptions are printed on terminals, which would obey them.

    Those that turn the direction of writing around, too: a reader would see another text than there is.
    """
    rest: list[Any] = [toml]
    while rest:
        value = rest.pop()
        if isinstance(value, Mapping):
            rest += [*value, *value.values()]
        elif isinstance(value, list):
            rest += value
        elif isinstance(value, str) and has_hidden(value):
            raise SpecError(f"Text with control characters: {value[:60]!r}.")
