"""The command `netspec`: a thin skin over the Python API, one file a command."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import click

from netspec.cli.common import speaks, talk
from netspec.cli.garbage import collecting
from netspec.cli.group import LazyGroup, shows_traceback, traceback_option
from netspec.errors import DataError, NetspecError, UsageError
from netspec.text.report import MisfitError, SpecError
from netspec.words import printable

BROKEN_PIPE = 141
"""What a shell says of a process whose reader has gone: 128 + SIGPIPE."""
NO_NAME = (errno.ENAMETOOLONG, errno.ELOOP)
"""What the system says of a path that a person has named, and that leads nowhere."""
COMPLETE = "_NETSPEC_COMPLETE"
"""The variable by which a shell asks for completion."""
LONG = {"train", "sweep", "eval", "predict", "generate", "bench"}
"""Commands that go on for as long as their data do, with garbage of the network's own."""
MADE = 1_000_000
"""Objects that the other commands make before garbage is collected: most of them end before that pays."""

FAULT = """\
This is a fault of netspec, not of your spec: {error}
With --traceback it shows where it happened; please report it with the spec."""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="netspec-torch", prog_name="netspec")
def cli() -> None:
    """One YAML file to a checked, readable, trained and exported PyTorch network."""


cli.params.append(traceback_option())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code: 0 fine, 1 a fault of netspec, 2 usage, 3 the spec, 4 the data,
    5 diverged, 6 an export that does not match, 130 interrupted.
    """
    if COMPLETE in os.environ:
        sys.exit(complete(os.environ[COMPLETE]))
    given = list(sys.argv[1:] if arguments is None else arguments)
    with collecting(seldom=not LONG & set(given[:2])):
        sys.exit(_run(given))


def complete(instruction: str) -> int:
    """Answer a shell: `bash_source` prints what it is to read once, `bash_complete` the words that may come next.

    So for zsh and fish. Returns the exit code, which is 1 for another shell.
    """
    from click.shell_completion import shell_complete

    return shell_complete(cli, {"obj": []}, "netspec", COMPLETE, instruction)


def _run(arguments: Sequence[str]) -> int:
    """Run the command, and return its exit code."""
    context = None
    try:
        with cli.make_context("netspec", list(arguments), obj=list(arguments)) as context:
            cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        if speaks():
            error.show()
        return error.exit_code
    except NetspecError as error:
        talk(_message(error))
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except MemoryError as error:
        talk(f"netspec: there is not enough memory here. {error}".rstrip())
        return DataError.exit_code
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_NAME:
            talk(f"netspec: {printable(str(error.filename))} is no name of a file here: {error.strerror}")
            return UsageError.exit_code
        if context is not None and shows_traceback(context):
            raise
        click.echo(FAULT.format(error=f"{type(error).__name__}: {error}"), err=True)
        return 1
    return 0


def _message(error: NetspecError) -> str:
    """An error as a person is shown it."""
    text = str(error)
    return text if isinstance(error, SpecError | MisfitError) else f"netspec: {text}"
