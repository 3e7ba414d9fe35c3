"""Problems as a person reads them: each with its line and a caret, and the error that carries them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from netspec.errors import At, DataError, NetspecError, Problem
from netspec.text.source import COMMAND_LINE, Place, Source
from netspec.words import printable

WIDTH: Final = 240
"""How much of a line is shown."""
SHOWN: Final = 50
"""How many problems a report shows."""
LONG: Final = 2_000
"""How much of a message is shown."""


class SpecError(NetspecError):
    """A spec that does not fit together; `problems` holds each reason, `source` the text that they point into."""

    exit_code = 3

    def __init__(self, problems: Iterable[Problem], source: Source | None = None, *, shown: str = "") -> None:
        """`shown` is what a person reads where the problems stand in no line of a source."""
        self.problems = tuple(problems)
        self.source = source
        plain = "\n".join(problem.message for problem in self.problems)
        super().__init__(shown or (report(self.problems, source) if source is not None else plain))

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the problems with their carets, and no traceback of what found them."""
        return str(self).splitlines()


class MisfitError(DataError):
    """Files that a spec names and that do not go with it; `problems` stand in `source`, where the files are named."""

    def __init__(self, problems: Iterable[Problem], source: Source) -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(report(self.problems, source))


@contextmanager
def pointing_into(source: Source) -> Iterator[None]:
    """Give a SpecError of those who do not know the text of the spec the lines that its problems are about."""
    try:
        yield
    except SpecError as error:
        if error.source is not None:
            raise
        raise SpecError(error.problems, source) from None


def report(problems: Sequence[Problem], source: Source) -> str:
    """The problems as a person reads them: sorted by place, each with its line and a caret."""
    placed, left_out = in_order(problems, source, SHOWN)
    shown = ["\n".join(_lines(place, problem, source)) for place, problem in placed]
    return "\n\n".join([*shown, *([f"and {left_out:,} more"] if left_out else [])])


def in_order(problems: Sequence[Problem], source: Source, most: int) -> tuple[list[tuple[Place, Problem]], int]:
    """The first problems in the order of the text, errors before others where not all fit, and how many are left."""
    placed = sorted(((source.place(p.at), p) for p in problems), key=lambda x: (x[0].line, x[0].column))
    if len(placed) > most:
        kept = sorted(range(len(placed)), key=lambda i: (placed[i][1].severity != "error", i))[:most]
        placed = [placed[i] for i in sorted(kept)]
    return placed, len(problems) - len(placed)


def _lines(place: Place, problem: Problem, source: Source) -> Iterator[str]:
    """A problem in lines: where and what, the line of the spec with carets under it, and the hint."""
    yield f"{place}  {problem.severity}[{problem.code}]  {_clipped(problem.message)}"
    if place.text:
        number = str(place.line)
        line, begin = place.text.expandtabs(1), 0
        if len(line) > WIDTH:  # of a very long line, the part around the place
            begin = max(0, min(place.column - WIDTH // 2, len(line) - WIDTH))
        carets = "^" * min(place.width, WIDTH)
        yield f"  {number} | {printable(line[begin : begin + WIDTH])}"
        yield f"  {' ' * len(number)} | {' ' * (place.column - 1 - begin)}{carets}"
    if problem.hint:
        yield f"  {_clipped(problem.hint)}"
    for word, at in _along(problem, source, place):
        where = source.place(at)
        yield f"  {word} {where}: {printable(where.text.strip()[:WIDTH])}"


def _along(problem: Problem, source: Source, place: Place) -> Iterator[tuple[str, At]]:
    """Other places that a person has to know of: uses of a block, and what was written in other files."""
    yield from (("used at", at) for at in dict.fromkeys(problem.used_at))
    yield from (("takes", at) for at in dict.fromkeys(problem.takes) if source.place(at).file != place.file)
    if place.file != source.file and ("extends",) in source.marks and place.file.name != COMMAND_LINE:
        yield "extended by", At(("extends",))


def _clipped(text: str, most: int = LONG) -> str:
    """`text` as it is shown: of a very long one the beginning."""
    return printable(text if len(text) <= most else f"{text[: most - 300]} ... {text[-300:]}")
