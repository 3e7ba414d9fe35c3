"""Commands that are imported only when they are run or listed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from netspec.errors import did_you_mean

COMMANDS = (
    *("init", "check", "summary", "graph", "build", "fmt", "diff"),
    *("train", "sweep", "eval", "predict", "export"),
    *("ops", "schema", "doctor"),
)
"""Every command in the order of use; each is the file of its name."""


class LazyGroup(click.Group):
    """A group whose commands live in files of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"netspec.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = did_you_mean(args[0], COMMANDS) or f"There are: {', '.join(COMMANDS)}."
            ctx.fail(f"there is no command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)
