"""`netspec explain`: how a step comes to its size and cost, or what a code of a message means."""

from __future__ import annotations

import re

import click

from netspec.cli.common import load, show
from netspec.errors import UsageError


@click.command()
@click.argument("spec", metavar="SPEC|CODE")
@click.argument("step", required=False)
def command(spec: str, step: str | None) -> None:
    """Explain a step of a network, or a code of a message.

    With a SPEC and a STEP, such as conv1 or blocks.0.attn: how its size, its parameters, its multiply-accumulates and
    its memory come about, with the numbers put into the formulas, and what of the input it sees. With a CODE, such as
    unknown-op or bias-before-norm: a spec with that fault, its message, and what to do.
    """
    if step is None:
        _code(spec)
        return
    from netspec.views.explanation import explained, near

    loaded = load(spec, (), or_stdin=True)
    text = explained(loaded.graph, loaded.document.source, step)
    if text is None:
        raise UsageError(f"{loaded.name} has no step {step!r}. {near(loaded.graph, step)}")
    show(text)


def _code(code: str) -> None:
    """Show a spec with a fault, and what is said of it; the code may be written as messages have it, error[CODE]."""
    from netspec.spec import Spec
    from netspec.text.report import SpecError
    from netspec.views.codes import examples, reasons
    from netspec.words import in_shell, offered, printable

    known = examples()
    if code.endswith((".yaml", ".yml")) or code == "-":
        steps = in_shell("netspec", "summary", code)
        raise UsageError(f"name a step of {printable(code)} as well; `{steps}` shows them")
    code = re.sub(r"^(?:error|warning|info)\[(.*)\]$", r"\1", code.strip()).lower()
    if code not in known:
        hint = offered(code, sorted(known))
        raise UsageError(f"of {code!r} there is no example. {hint} Name a step as well to explain one: SPEC STEP.")
    if reason := reasons().get(code):
        show(reason + "\n")
    example = f"netspec: 1\n{known[code]}" if not known[code].startswith("netspec:") else known[code]
    show("For example:\n")
    show("".join(f"    {line}\n" for line in example.splitlines()))
    try:
        found = Spec.loads(example, name="example.yaml")
    except SpecError as error:
        show(str(error))
    else:
        from netspec.text.report import report

        show(report(found.warnings, found.document.source))
