"""Letters that are not seen and change what is: control characters, and marks that turn writing around."""

from __future__ import annotations

TURNING = (
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)  # of bidirectional text: what stands there is not what is read
CONTROL = tuple(code for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t")  # terminals obey them
SPELT_OUT = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in (*CONTROL, *TURNING)}


def has_hidden(text: str) -> bool:
    """Whether a text has any."""
    return text.translate(SPELT_OUT) != text
