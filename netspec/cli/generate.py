"""`netspec generate`: how the network of a run goes on with a text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from netspec.cli.common import STDIN, as_json, limited, show_json, talk, tell_of
from netspec.errors import DataError, UsageError
from netspec.words import printable

if TYPE_CHECKING:
    from netspec.runs.sampling import Continuation, Sampling

MAX_PROMPT: Final = 1 << 24
"""Bytes of a prompt on standard input."""


@click.command()
@click.argument("source", metavar="RUN_OR_FILE.onnx", type=click.Path(path_type=Path))
@click.argument("prompt", required=False)
@click.option("--tokens", type=click.IntRange(0), default=200, show_default=True, help="How many tokens, at most.")
@click.option(
    *("--temperature", "temperature"),
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="What scores are divided by: less is likelier, 0 takes the likeliest token each time.",
)
@click.option("--top-k", type=click.IntRange(1), help="Choose from so many of the likeliest tokens.")
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    help="Choose from the fewest of the likeliest tokens that have this probability together.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed gives the same text.")
@click.option("--stop", multiple=True, metavar="WORD", help="End before this word. Can be given several times.")
@click.option("--no-cache", is_flag=True, help="Compute each token from the whole text again.")
@limited
@as_json
def command(
    source: Path,
    prompt: str | None,
    tokens: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    seed: int,
    stop: tuple[str, ...],
    no_cache: bool,
    max_params: int | None,
    max_memory: int | None,
    as_json: bool,
) -> None:
    """Go on with PROMPT, by the best weights of the language model in the folder RUN or by a file of it.

    What follows the prompt goes to standard output, as soon as it is known. Without PROMPT, or with -, the prompt is
    read from standard input, without the line break at its end. Where the network sees no more tokens than so many, the
    older half of them is forgotten each time that they are full. A file is run by ONNX Runtime, without torch.
    """
    from netspec.runs.sampling import Sampling

    text = _prompt(prompt)
    how = Sampling(temperature, top_k, top_p, seed)
    found = _begun(source, text, how, tokens, stop, not no_cache, max_params, max_memory)
    if as_json:
        found.read()
        told = {"prompt": text, "text": found.text, "tokens": found.tokens, "ended": found.ended or None}
        show_json({**told, "seed": seed, "cached": found.cached})
        return
    clean: Callable[[str], str] = _for_terminal if sys.stdout.isatty() else str
    for piece in found:
        click.echo(clean(piece), nl=False)
        sys.stdout.flush()
    if not found.text.endswith("\n"):
        click.echo()


def _begun(
    source: Path,
    text: str,
    how: Sampling,
    tokens: int,
    stop: tuple[str, ...],
    cache: bool,
    max_params: int | None,
    max_memory: int | None,
) -> Continuation:
    """What follows a text, by a run or a file."""
    from netspec.runs.onnx_model import OnnxModel, is_model

    about: dict[str, Any] = {"tokens": tokens, "how": how, "stop": stop, "cache": cache, "tell": talk}
    if is_model(source):
        from netspec.runs import generate_file

        return generate_file.generate(OnnxModel.read(source), text, **about)
    from netspec.api.run import Run
    from netspec.runs.generate import generate

    run = Run.read(source, max_params=max_params, max_memory=max_memory)
    tell_of(run)
    return generate(run, text, **about)


def _prompt(given: str | None) -> str:
    """The prompt, which may be on standard input. Raises UsageError and DataError."""
    if given not in (None, STDIN):
        assert given is not None
        return given
    if sys.stdin is None or (given is None and sys.stdin.isatty()):
        raise UsageError('there is no prompt: netspec generate RUN "Once upon", or give it on standard input')
    content = sys.stdin.buffer.read(MAX_PROMPT + 1)
    if len(content) > MAX_PROMPT:
        raise DataError(f"standard input has more than {MAX_PROMPT:,} bytes of a prompt")
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise DataError(f"standard input is not UTF-8: byte 0x{error.object[error.start]:02x}") from None


def _for_terminal(piece: str) -> str:
    """A piece in which nothing can steer a terminal; lines and tabs stay."""
    return "".join(letter if letter in "\n\t" else printable(letter) for letter in piece)
