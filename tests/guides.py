"""The pages of the documentation as what a reader does with them: files written, commands and lines run, in order.

A block with a title is the file of that name. In a console block a line behind `$` is a command, and the lines below
it are some of those that it says, in their order; `...` stands for any text. A command ends well, but where an error is
shown. Python blocks without a title are one program.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.cli.test_commands import run

BLOCK: Final = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
"""A fenced block: its language, its title, its text."""


def play(page: str, folder: Path) -> None:
    """Do in `folder` what a page says."""
    scope: dict[str, Any] = {}
    for language, title, text in BLOCK.findall(page):
        if title:
            (folder / title).write_text(text, "utf-8")
        elif language == "console":
            for command in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, shown = command.partition("\n")
                _command(line, shown, folder)
        elif language == "python":
            with chdir(folder), _searched(folder):
                exec(compile(text, "<page>", "exec"), scope)


@contextmanager
def _searched(folder: Path) -> Iterator[None]:
    """Modules are found in `folder`, as by a program that lies there."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _command(line: str, shown: str, folder: Path) -> None:
    program, *arguments = shlex.split(line)
    assert program == "netspec", line
    done = run(*arguments, cwd=folder)
    said = done.stderr + done.stdout
    assert done.returncode == (3 if " error[" in shown else 0), said
    rest = iter(said.splitlines())
    for expected in shown.splitlines():
        pattern = re.escape(expected.rstrip()).replace(re.escape("..."), ".*")
        if expected.strip() not in ("", "..."):
            assert any(re.fullmatch(pattern, line.rstrip()) for line in rest), f"{line}\n{expected!r} is not in\n{said}"
