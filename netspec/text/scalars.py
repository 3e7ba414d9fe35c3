"""What a plain word of YAML stands for, by the core schema of YAML 1.2: `1e-3` is a number, `no` is a word."""

from __future__ import annotations

import re
from typing import Final

INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
ZEROS = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
"""Octal to some readers, decimal to others: 010."""
HEX_OR_SIZES = re.compile(r"0x[0-9]+")
GROUPED = re.compile(r"[-+]?[1-9](\d{0,2}([,']\d{3}){1,6}|\d{0,20}(_\d{1,20}){1,20})", re.ASCII)
"""With its digits in groups, as Python and people have it: 1_000."""
NUMERIC: Final = frozenset("+-.0123456789")
"""What a number begins with."""
WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def is_word(text: str) -> bool:
    """Whether a text stands for itself where no quotes are around it."""
    return text not in WORDS and not any(form.fullmatch(text) for form in (INT, FLOAT, ZEROS, HEX_OR_SIZES))


def ungrouped(text: str) -> str:
    """The plain number that a text with its digits in groups means, `1_000` or `1,000`; empty for any other."""
    return re.sub("[_,']", "", text) if GROUPED.fullmatch(text) else ""


def odd_number(text: str) -> tuple[str, str] | None:
    """What is wrong with a number that readers take differently, and what to write; None for any other text."""
    if ZEROS.fullmatch(text):
        plain = ("-" if text[0] == "-" else "") + (text.lstrip("+-0") or "0")
        return f"the number {text[:40]} begins with 0", f'Write {plain[:40]}, or "{text[:40]}" for a text.'
    if HEX_OR_SIZES.fullmatch(text):
        text = text[:40]
        hint = f"Write {int(text, 16)} for the number, or [{text.replace('x', ', ')}] for the sizes."
        return f"{text} is a hexadecimal number to YAML, and two sizes in a row", hint
    return None
