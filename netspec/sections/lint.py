"""The `lint` section: warnings that a spec does not want."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netspec.errors import At, Path, Problem
from netspec.faults import shown
from netspec.lint import rules
from netspec.lint.base import Rule
from netspec.sections.base import Around, Key, Section, unknown_keys
from netspec.words import did_you_mean


class Lint(Section):
    """Warnings that are suppressed in this spec, by code."""

    key = "lint"
    after = "use"
    sentence = "warnings that this spec does not want, `{ignore: [bias-before-norm]}`"
    example = "lint: {ignore: [bias-before-norm]}"
    forms = (dict,)
    network = False
    keys = {"ignore": Key("codes of the warnings that this spec does not want", ["bias-before-norm"])}

    def schema(self) -> dict[str, Any]:
        codes = sorted(rule.code for rule in rules() if rule.severity != "error")
        ignore = {"description": self.keys["ignore"].sentence, "type": "array", "items": {"enum": codes}}
        return {"type": "object", "properties": {"ignore": ignore}, "additionalProperties": False}

    def read(self, value: Any, path: Path, around: Around) -> tuple[frozenset[str], list[Problem]]:
        """The codes of the warnings that are not told."""
        problems = unknown_keys(value, self.keys, path)
        codes, place = value.get("ignore", []), (*path, "ignore")
        if not isinstance(codes, list):
            return frozenset(), [
                *problems,
                Problem("bad-value", "ignore is a list of codes", At(place), "As: [bias-before-norm]"),
            ]
        known = {rule.code: rule for rule in rules()}
        found = (_unheeded(code, known, At((*place, i))) for i, code in enumerate(codes))
        problems += [problem for problem in found if problem is not None]
        return frozenset(code for code in codes if isinstance(code, str)), problems


def _unheeded(code: Any, known: Mapping[str, Rule], at: At) -> Problem | None:
    """What is wrong with a code that a spec ignores."""
    if not isinstance(code, str) or code not in known:
        hint = did_you_mean(str(code), known) or f"There are: {', '.join(sorted(known))}."
        return Problem("unknown-value", f"there is no check {shown(code)}", at, hint)
    if known[code].severity == "error":
        return Problem("bad-value", f"{code} is an error, and only warnings can be ignored", at)
    return None
