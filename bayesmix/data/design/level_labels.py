"""Labels of the levels of crossed grouping factors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

Key = tuple[str, ...]  # the level of each factor


def labels_of(keys: Sequence[Key]) -> tuple[str, ...]:
    """Join levels as lme4 does, `a:b`; quote those with a colon of their own where two labels would be the same."""
    plain = tuple(map(":".join, keys))
    if len(set(plain)) == len(plain):
        return plain
    count = Counter(plain)
    quoted = [
        ":".join(map(_quoted, key)) if count[label] > 1 else label for key, label in zip(keys, plain, strict=True)
    ]
    seen: Counter[str] = Counter()
    for j, label in enumerate(quoted):
        seen[label] += 1
        quoted[j] = label if seen[label] == 1 else f"{label}#{seen[label]}"
    return tuple(quoted)


def _quoted(level: str) -> str:
    return f'"{level}"' if ":" in level else level
