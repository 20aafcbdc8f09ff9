"""The lines of a model as MathML, which browsers draw without a script: ``mu[i]`` as a letter with an index."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

GREEK = {
    **{"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ"},
    **{"mu": "μ", "nu": "ν", "xi": "ξ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "Sigma": "Σ"},
}
SIGNS = {"~": "∼", "*": "·", "-": "−", "<=": "≤", ">=": "≥", "+-": "±"}
TOKEN = re.compile(r"`[^`]*`|\.?\d[\d.]*(?:e[+-]?\d+)?|[^\W\d][\w.]*|<=|>=|\+-|\s+|.")
OPENING, CLOSING = "([", ")]"
STARTS = ("=", "~", "+")  # a line may break before these


def formula_html(line: str) -> str:
    """A line of a model: symbols as MathML, words as they are, so that it breaks where a text does."""
    return " ".join(_pieces(_words(line.strip())))


def _words(line: str) -> Iterator[str]:
    """Parts of a line between blanks outside of brackets."""
    depth, word = 0, ""
    for letter in line:
        depth += (letter in OPENING) - (letter in CLOSING)
        if letter == " " and depth <= 0:
            yield word
            word = ""
        else:
            word += letter
    yield word


def _pieces(words: Iterator[str]) -> Iterator[str]:
    """Runs of symbols, each one formula, and words."""
    run: list[str] = []
    for word in words:
        bare = word.rstrip(",:")
        is_symbol = bare in SIGNS or bare in STARTS or bare in GREEK or any(sign in bare for sign in OPENING)
        if run and (not is_symbol or bare in STARTS):
            yield _math(" ".join(run))
            run = []
        if is_symbol:
            run.append(word)
        elif word:
            yield escape(word)
    if run:
        yield _math(" ".join(run))


def _math(text: str) -> str:
    words = "".join(_row(TOKEN.findall(text)))
    return f'<math alttext="{escape(text)}"><mrow>{words}</mrow></math>'


def _row(tokens: Sequence[str]) -> Iterator[str]:
    """Elements of a row; what follows a name in square brackets is its index."""
    place = 0
    while place < len(tokens):
        token, after = tokens[place], tokens[place + 1] if place + 1 < len(tokens) else ""
        if after == "[" and (token[-1].isalnum() or token[-1] in "_`)"):
            end = _end(tokens, place + 1)
            yield f"<msub>{_atom(token)}<mrow>{''.join(_row(tokens[place + 2 : end]))}</mrow></msub>"
            place = end + 1
        else:
            yield _atom(token)
            place += 1


def _end(tokens: Sequence[str], opening: int) -> int:
    """Where the bracket that opens there is closed."""
    depth = 0
    for place in range(opening, len(tokens)):
        depth += (tokens[place] in OPENING) - (tokens[place] in CLOSING)
        if depth == 0:
            return place
    return len(tokens)


def _atom(token: str) -> str:
    if token.isspace():
        return '<mspace width="0.25em"/>'
    if token[0].isdigit():
        return f"<mn>{token}</mn>"
    if token in GREEK:
        return f"<mi>{GREEK[token]}</mi>"
    if token[0].isalpha() or token[0] == "`":
        return f"<mi>{escape(token)}</mi>"
    return f'<mo stretchy="false">{escape(SIGNS.get(token, token))}</mo>'
