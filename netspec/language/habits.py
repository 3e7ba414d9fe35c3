"""What to write instead of what other languages and frameworks would have in a row."""

from __future__ import annotations

import re
from typing import Final

from netspec.errors import Span
from netspec.text.scalars import ungrouped

EQUATION: Final = re.compile(r"[A-Za-z.]+(?: *, *[A-Za-z.]+)* *-> *[A-Za-z.]*")
"""An equation as torch.einsum has it."""
_SIZES: Final = re.compile(r"[(\[]\s*(-?\d+(?:\s*,\s*-?\d+)*)\s*,?\s*[)\]]")
"""A tuple or list of numbers: `(3, 3)`."""
_BRACED: Final = re.compile(r"[{<]+\s*\$?(\w+)\s*[}>]+")

PYTHON: Final = "a call as Python has it; here arguments follow their word"
"""What is said of one."""
IN_PLACE: Final = "Write what it is where it runs, as in - conv1: conv 6 k5; each step takes the value before it."
"""What is written for a use of a module that was made before, `self.conv1(x)`."""

MEANT: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("filters", "out", "channels", "features"), ("out_channels", "out_features")),
    **dict.fromkeys(("units", "width"), ("out_features", "hidden_size")),
    **dict.fromkeys(("rate", "prob", "probability"), ("p",)),
    **dict.fromkeys(("axis", "axes"), ("dim", "dims")),
    **dict.fromkeys(("heads",), ("num_heads",)),
    **dict.fromkeys(("layers", "depth"), ("num_layers",)),
    "use_bias": ("bias",),
    "pad": ("padding",),
    "learning_rate": ("lr",),
    "r": ("rank",),
    "lora_alpha": ("alpha",),
    "lora_dropout": ("dropout",),
    "use_rslora": ("rslora",),
    "in": ("in_channels", "in_features"),
}
"""Arguments by what others call them."""


def advice(text: str, span: Span) -> str:
    """What to try for a row that cannot be read at `span`; empty where it looks like nothing known."""
    piece = text[span[0] : span[1]]
    if "\n" in text:
        return "A row is one line. Write a list, each row behind a - of its own."
    if piece == "=" and text[span[1] :].lstrip() == text[span[1] :] != "":
        return "Arguments follow their operation without a comma, as in: fc 400->120->84 between=relu"
    if "self." in text:
        return IN_PLACE
    if "einsum" in text and (equation := EQUATION.search(text)):
        return f"In a row, write the equation as {in_a_row(equation[0])}"
    if plain := ungrouped(piece.rpartition("=")[2].lstrip("kspdg")):
        return f"Write {plain}."
    if sizes := _SIZES.search(piece):
        return f"Write sizes with x between them: {joined(sizes[1])}"
    inside = text[: span[0]].count("(") > text[: span[0]].count(")")
    if piece[:1].isdigit() and text[: span[0]].rstrip().endswith(",") and not inside:
        return "A comma begins the next operation; sizes have an x between them, as in k3x3."
    if "'" in piece or '"' in piece:
        return _quoted(text, span)
    if braced := _BRACED.fullmatch(piece):
        return f"Write ${braced[1]} for a parameter."
    if any(quote in text for quote in "\u2018\u2019\u201c\u201d"):
        return "Write straight quotes."
    if "\u00d7" in piece:
        return "Write the letter x between sizes, without spaces: 3x5"
    if ";" in piece:
        return "A comma stands between operations, as in: conv 8 k3, relu"
    if piece.count(")") > piece.count("("):
        return "Remove a bracket, or open it."
    if piece.startswith("$"):
        return "Write $name for a parameter, or $(expression)."
    if span[0] == 0 and re.match(r"-\w", piece):
        return "Put a space behind the -"
    if piece == "-" and re.search(r"\w-\d", text[: span[1] + 1]):
        return "A space stands before a number, as in: conv 16 k3"
    if piece == "-" and re.search(r"\w-[A-Za-z]", text[: span[1] + 1]):
        return "Words of the language have no -, as in: layernorm, leaky_relu. A name may: - block-1: relu"
    if piece == "-":
        return "A new item begins in the same column as the one above."
    if piece == "+":
        return "A sum of steps is add(a b)."
    if re.fullmatch(r"\*\d+", piece):
        return f"Write x{piece[1:]} to repeat."
    return ""


def _quoted(text: str, span: Span) -> str:
    """What to write for a word in quotes inside a row, which has none."""
    begin = min(at for quote in "'\"" if (at := text.find(quote, span[0])) >= 0)
    end = text.find(text[begin], begin + 1)
    word = text[begin + 1 : end] if end > 0 else text[begin + 1 : span[1]]
    if not word:
        return ""
    if " " not in word:
        return f"Write {word}, without quotes."
    op, *before = text[text[:begin].rfind(",") + 1 : begin].split() or [""]
    key = before.pop().removesuffix("=") if before and before[-1].endswith("=") else "path"
    others = [*before, *(text[end + 1 :].split() if end > 0 else ())]
    if not op.isidentifier() or not all(re.fullmatch(r"[a-z_]+=[^,]+", other) for other in others):
        return "A row has no words with blanks; write it long, as in data: {source: {csv: {path: my data.csv}}}"
    options = ", ".join([f"{key}: {word}", *(other.replace("=", ": ", 1) for other in others)])
    call = f"{{{op}: {{{options}}}}}"
    return f"A row has no words with blanks; write it long: {f'data: {{source: {call}}}' if key == 'path' else call}"


def in_a_row(equation: str) -> str:
    """An equation with / for its comma and : for its arrow, which a row keeps for itself."""
    return equation.replace(" ", "").replace(",", "/").replace("->", ":")


def joined(sizes: str) -> str:
    """The numbers of a text as a row has them: 3x32x32."""
    return "x".join(re.findall(r"-?\d+", sizes))
