"""Commands that are imported only when they are run or listed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from netspec.words import did_you_mean

COMMANDS = (
    *("init", "check", "summary", "explain", "graph", "build", "fmt", "diff"),
    *("train", "launch", "sweep", "report", "runs", "eval", "predict", "generate"),
    *("export", "verify", "show", "bench"),
    *("weights", "ops", "schema", "doctor"),
)
"""Every command in the order of use; each is the file of its name."""


TRACEBACK = "netspec.traceback"
WITHOUT = ("init", "weights", "doctor", "show")
"""Commands that read no word of the language."""


def plugin_option() -> click.Option:
    """`--plugin`, which loads before anything is read."""

    def load(context: click.Context, option: click.Parameter, plugins: tuple[str, ...]) -> None:
        for plugin in () if context.resilient_parsing else plugins:  # a shell that completes runs nothing
            from netspec.plugins import load as load_plugin

            load_plugin(plugin)

    sentence = "Learn the words of a plugin: a Python file, or an installed one by name. Can be given several times."
    return click.Option(
        ["--plugin"], metavar="FILE.py", multiple=True, expose_value=False, is_eager=True, callback=load, help=sentence
    )


def traceback_option() -> click.Option:
    """`--traceback`, before the command or behind it, which `shows_traceback` tells of."""

    def note(context: click.Context, option: click.Parameter, wanted: bool) -> None:
        context.meta[TRACEBACK] = wanted or context.meta.get(TRACEBACK, False)

    sentence = "Show where in netspec an unexpected error happened."
    return click.Option(["--traceback"], is_flag=True, expose_value=False, is_eager=True, callback=note, help=sentence)


def shows_traceback(context: click.Context) -> bool:
    """Whether `--traceback` was given."""
    return bool(context.meta.get(TRACEBACK))


class LazyGroup(click.Group):
    """A group whose commands live in files of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command by name, none of them imported."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, whose file is imported only now; with `--plugin`, unless it takes none."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"netspec.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        if cmd_name not in WITHOUT and not any(option.name == "plugin" for option in command.params):
            command.params.append(plugin_option())
        if not any(option.name == "traceback" for option in command.params):
            command.params.append(traceback_option())
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """click's own, but for a word that is no command: the nearest one is named."""
        unknown = args and args[0] not in COMMANDS and not args[0].startswith("-")
        if unknown and not ctx.resilient_parsing:
            hint = did_you_mean(args[0], COMMANDS) or f"There are: {', '.join(COMMANDS)}."
            ctx.fail(f"there is no command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)
