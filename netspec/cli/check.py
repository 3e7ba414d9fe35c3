"""`netspec check`: every problem of specs at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netspec.cli.common import STDIN, as_json, limited, painted, read, show, show_json, within
from netspec.errors import DataError, Problem
from netspec.text.report import MisfitError, SpecError
from netspec.weights.load import FILE
from netspec.words import printable

if TYPE_CHECKING:
    from netspec.graph.model import Graph
    from netspec.text.source import Source
    from netspec.weights.fit import Fit


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in one spec."""

    name: str
    problems: tuple[Problem, ...]
    source: Source
    graph: Graph | None
    """None where nothing fits together."""
    report: str
    """As a person reads it."""
    columns: tuple[str, ...] = ()
    """What becomes of the weights that it names and of the columns of its table, line by line."""

    def code(self, strict: bool) -> int:
        """What a command ends with that was asked for this spec alone."""
        if any(problem.code in ("data", FILE) for problem in self.problems):
            return DataError.exit_code
        return SpecError.exit_code if self.counted(strict) else 0

    def counted(self, strict: bool) -> str:
        """How many errors there are, and what counts as one; empty where none do."""
        severities = Counter(problem.severity for problem in self.problems)
        counts = [severities["error"], severities["warning"] if strict else 0]
        words = [f"{n:,} {noun}{'s' * (n != 1)}" for n, noun in zip(counts, ("error", "warning"), strict=True) if n]
        return " and ".join(words)


@click.command()
@click.argument("words", metavar="SPEC... [PATH.TO.VALUE=NEW]...", nargs=-1, required=True, type=click.Path())
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
@within
@limited
@as_json
@click.pass_context
def command(
    context: click.Context,
    words: tuple[str, ...],
    strict: bool,
    max_params: int | None,
    max_memory: int | None,
    as_json: bool,
) -> None:
    """Check specs, without running anything; `-` is one on standard input.

    Shows every problem with its line, the arithmetic behind it and a way out. Ends with 3 if there is an error, or
    with --strict a warning, in any of them, and else with 4 if a table or weights do not go with their spec.
    """
    specs, overrides = parted(words)
    if specs.count(STDIN) > 1:
        raise click.UsageError("only one spec can be on stdin")
    found = [_checked(spec, overrides, max_params, max_memory) for spec in specs]
    refused = [each for each in found if each.counted(strict)]
    if as_json:
        _show_rows(found)
    else:
        show("\n\n".join(_text(each, strict) for each in found))
        if len(found) > 1:
            show(f"\n{len(found)} specs, " + (f"{len(refused)} with errors" if refused else "all fit together"))
    context.exit(min((each.code(strict) for each in refused), default=0))


def parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Which words are specs, and which are overrides; the first is a spec."""
    first, *rest = words
    specs = [word for word in rest if _names_a_spec(word)]
    return [first, *specs], [word for word in rest if word not in specs]


def _names_a_spec(word: str) -> bool:
    """Whether a word is the name of a spec, and not an override."""
    if word == STDIN or ("=" not in word and Path(word).suffix in (".yaml", ".yml")):
        return True
    try:
        return Path(word).exists()
    except OSError:  # too long for a name
        return False


def _checked(spec: str, overrides: Sequence[str], max_params: int | None, max_memory: int | None) -> Checked:
    """A spec as it was read, with all that is wrong with it, for a machine and as text for a person."""
    from netspec.text.report import report

    try:
        loaded = read(spec, overrides, max_params=max_params, max_memory=max_memory)
    except SpecError as error:
        return Checked(spec, tuple(error.problems), _source(error), None, str(error))
    source = loaded.document.source
    told = report(loaded.warnings, source)
    try:
        fitted = loaded.fitted()
        columns = loaded.look()
    except (SpecError, MisfitError) as error:
        problems = (*loaded.warnings, *error.problems)
        return Checked(spec, problems, source, None, report(problems, source))
    except DataError as error:
        assert loaded.experiment.data is not None
        problem = Problem("data", str(error), loaded.experiment.data.source_at)
        told = "\n\n".join([*([told] if told else []), printable(f"{spec}: {error}")])
        return Checked(spec, (*loaded.warnings, problem), source, None, told)
    return Checked(spec, loaded.warnings, source, loaded.graph, told, (*_weights(fitted), *columns))


def _weights(found: Fit | None) -> tuple[str, ...]:
    """What becomes of the weights that a spec names, line by line."""
    if found is None:
        return ()
    from netspec.views.weights import SHOWN, text

    return (text(found, SHOWN),)


def _source(error: SpecError) -> Source:
    """The text that an error is about."""
    from netspec.text.source import Source

    assert isinstance(error.source, Source)
    return error.source


def _text(found: Checked, strict: bool) -> str:
    """One spec for a person: its problems, and how it ends."""
    parts = [painted(found.report)] if found.problems else []
    if count := found.counted(strict):
        return "\n\n".join([*parts, count])
    assert found.graph is not None
    line = f"{printable(found.name)}: {found.graph.name} fits together: {found.graph.in_words}"
    return "\n".join(["\n\n".join([*parts, line]), *found.columns])


def _show_rows(found: Sequence[Checked]) -> None:
    """The problems of all specs as JSON."""
    from netspec.views.problems import rows

    show_json([row for each in found for row in rows(each.problems, each.source)])
