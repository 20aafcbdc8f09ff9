"""How text tables are written, beside Python's codecs and the tables they were written from."""

from __future__ import annotations

import codecs
from typing import Any

import pytest

from bayesmix.data.dialect import WHITESPACE, find_dialect, find_encoding
from bayesmix.errors import DataError

ROWS = [["Größe", "g", "y"], ["1", "a", "0.5"], ["2", "b", "-1.25"], ["3", "a", "1e-3"]]


def written(sep: str, decimal: str, encoding: str) -> bytes:
    return "".join(sep.join(cell.replace(".", decimal) for cell in row) + "\n" for row in ROWS).encode(encoding)


def found(head: bytes, **given: Any) -> Any:
    return find_dialect(head, **{"sep": None, "decimal": None, "encoding": None, "blanks": False} | given)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize(("sep", "decimal"), [(",", "."), (";", ","), (";", "."), ("\t", ","), ("|", ".")])
def test_tables_are_read_as_they_were_written(sep: str, decimal: str, encoding: str) -> None:
    head = written(sep, decimal, encoding)
    dialect = found(head)
    assert (dialect.sep, dialect.decimal) == (sep, decimal)
    assert head.decode(dialect.encoding) == written(sep, decimal, "utf-8").decode()
    assert dialect.names == ("Größe", "g", "y")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("häufig", "utf-8"),
        ("plain", "utf-8"),
        (codecs.BOM_UTF8 + b"x", "utf-8-sig"),
        ("häufig".encode("cp1252"), "cp1252"),
        ("x,y\n1,2\n".encode("utf-16-le"), "utf-16-le"),  # without a mark
        ("x,y\n1,2\n".encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_encodings(text: str | bytes, right: str) -> None:
    assert find_encoding(text.encode() if isinstance(text, str) else text) == right


def test_blanks_separate_only_where_they_may() -> None:
    head = b"x   y\n1   2\n3   4\n"
    assert found(head, blanks=True).sep == WHITESPACE
    assert found(head).names == ("x   y",)


def test_a_comma_between_fields_is_no_decimal_mark() -> None:
    assert found(b'a,b\n"1,5",2\n"2,5",3\n').decimal == "."


def test_row_names_without_a_header_are_a_column() -> None:
    """As R's write.table leaves them."""
    assert found(b'"x","y"\n"1",2,3\n"2",4,5\n').names == ("Unnamed: 0", "x", "y")


def test_what_is_given_is_not_looked_for() -> None:
    dialect = found(b"a;b\n1,5;2\n", decimal=".", sep=";", encoding="latin-1")
    assert (dialect.encoding, dialect.sep, dialect.decimal) == ("latin-1", ";", ".")


@pytest.mark.parametrize(
    ("head", "given", "message"),
    [
        (b"", {}, "it is empty"),
        (bytes(range(256)), {}, "it is not text"),
        (b"x\n", {"encoding": "klingon"}, "there is no encoding `klingon`"),
        ("ä;x\n1;2\n".encode("cp1252"), {"encoding": "utf-8"}, "not text in encoding utf-8"),
        (b"a;b\n1,234;x\n2,345;y\n", {}, "may be a decimal mark or part thousands"),
        (b"a;b\n1;2\n", {"sep": ";;"}, "`sep` is one character"),
    ],
)
def test_what_cannot_be_read_says_why(head: bytes, given: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        found(head, **given)
