"""`netspec init`: a spec to start from."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import click

import netspec
from netspec.cli.common import show, talk, write
from netspec.errors import UsageError
from netspec.json_text import json_text
from netspec.words import did_you_mean, in_shell, printable

SCHEMA = "netspec.schema.json"
TEMPLATES = ("lenet", "mlp", "resnet", "gpt")
LIST = "?"
"""What `--from` means without a name."""
FIRST_LINE = f"# yaml-language-server: $schema={SCHEMA}"
"""By which an editor finds the schema."""


def completed(context: click.Context, option: click.Parameter, begun: str) -> list[str]:
    """The reference specs that begin so."""
    return [name for name in references() if name.startswith(begun)]


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option("--template", type=click.Choice(TEMPLATES), help="What to start from; lenet without.")
@click.option(
    "--from",
    "reference",
    metavar="[NAME]",
    is_flag=False,
    flag_value=LIST,
    shell_complete=completed,
    help="Start from a reference architecture, such as resnet18; alone it lists them.",
)
@click.option(
    "--data",
    type=click.Path(),
    multiple=True,
    metavar="PATH",
    help="Look at data of your own and write a spec that trains on it: a table, a folder of class folders of images, "
    "a .npz file, or .npy files, one after the other, the targets last.",
)
@click.option("--target", metavar="NAME", help="With --data: the column, or the array, that is to be learnt.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(
    path: Path | None,
    template: str | None,
    reference: str | None,
    data: tuple[str, ...],
    target: str | None,
    force: bool,
) -> None:
    """Write a ready spec, with comments, to FILE; to stdout without one.

    Beside FILE goes netspec.schema.json, by which an editor completes, explains and checks the spec.
    """
    from netspec.files import is_stream, kind, need_writable

    given = [name for name, value in (("--template", template), ("--from", reference), ("--data", data)) if value]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} each name a spec; keep one of them")
    if target is not None and not data:
        raise click.UsageError("--target is for --data: what of it is to be learnt")
    if reference == LIST:
        show(_listed())
        return
    into_stream = False
    if path is not None:
        need_writable(path)
        into_stream = is_stream(path)
        if kind(path) == "file" and not into_stream and not force:
            raise UsageError(f"{path} is there already. Name another file, or add --force.")
        if path.name == SCHEMA:
            raise UsageError(f"{SCHEMA} is written beside the spec. Give the spec another name.")
    if data:
        text = _proposed(data, None if into_stream else path, target)
    elif reference is not None:
        text = _reference(reference)
    else:
        text = files("netspec").joinpath("templates", f"{template or TEMPLATES[0]}.yaml").read_text(encoding="utf-8")
    if path is None:
        show(text.rstrip("\n"))
        return
    write(path, text, map(Path, data))
    below = _extended(reference) if reference is not None and not into_stream else {}
    for name, known in below.items():
        if not path.with_name(name).exists():
            write(path.with_name(name), known)
            talk(f"wrote {path.with_name(name)}, which it extends")
    if not into_stream:
        from netspec.views.schema import schema

        write(path.with_name(SCHEMA), json_text(schema()) + "\n")
    following = "" if into_stream else f"; next: {in_shell('netspec', 'train' if data else 'check', str(path))}"
    talk(f"wrote {path}{following}")


# --- reference specs ----------------------------------------------------------------------------


def references() -> dict[str, Path]:
    """The reference specs by name: in the package, or beside it where it is installed from its sources."""
    package = Path(netspec.__file__).parent
    folder = next((each for each in (package / "specs", package.parent / "specs") if each.is_dir()), package)
    return {found.stem: found for found in sorted(folder.glob("*.yaml"))}


def _listed() -> str:
    """A line for each reference spec: its name, and what it says of itself."""
    known = references()
    width = max(map(len, known), default=0)
    return "\n".join(f"{name:{width}}  {_about(path)}".rstrip() for name, path in known.items())


def _about(path: Path) -> str:
    """What a reference spec says behind the name of its network; the name where it says nothing."""
    line = next((line for line in path.read_text("utf-8").splitlines() if line.startswith("name:")), "")
    named, _, comment = line.removeprefix("name:").partition("#")
    return comment.strip() or named.strip()


def _reference(name: str) -> str:
    """The text of a reference spec. Raises UsageError for a name that none has."""
    known = references()
    if name not in known:
        hint = did_you_mean(name, known) or "`netspec init --from` lists them."
        raise UsageError(f"there is no reference spec {printable(name)!r}. {hint}")
    return f"{FIRST_LINE}\n{known[name].read_text('utf-8')}"


def _extended(name: str) -> dict[str, str]:
    """The texts of the reference specs that a reference spec extends, by the names of their files."""
    found = re.search(r"^extends: (\w+)\.yaml$", references()[name].read_text("utf-8"), re.MULTILINE)
    return {f"{found[1]}.yaml": _reference(found[1]), **_extended(found[1])} if found else {}


# --- data of one's own --------------------------------------------------------------------------


def _proposed(data: Sequence[str], path: Path | None, target: str | None) -> str:
    """A spec for data, which must lie in the folder of the spec or below. Raises UsageError and DataError."""
    from netspec.paths import real
    from netspec.proposals import propose

    folder = real(path.parent if path else Path())
    inside = []
    for each in data:
        found = real(Path(each))
        if not found.exists():
            raise UsageError(f"{printable(each)} does not exist")
        if not found.is_relative_to(folder) or found == folder:
            beside = str(found.parent / (path.name if path else "spec.yaml"))
            again = in_shell("netspec", "init", beside, "--data", str(found), *(["--target", target] if target else []))
            text = f"{printable(each)} does not lie in the folder of the spec, from which it is named"
            raise UsageError(f"{text}. Write the spec beside it: {again}")
        inside.append(found.relative_to(folder).as_posix())
    proposal = propose(inside, folder, target, _asked)
    talk("\n".join([f"{printable(' '.join(data))} holds", *proposal.seen]))
    return proposal.text


def _asked(names: Sequence[str]) -> str:
    """The name of what is to be learnt, asked of the person. Raises UsageError where nobody can be asked."""
    refusal = UsageError(f"what is to be learnt? Say so: --target NAME, one of {printable(', '.join(names[:40]))}")
    if sys.stdin is None or not sys.stdin.isatty():
        raise refusal
    try:
        choice: str = click.prompt("What is to be learnt", type=click.Choice(names), default=names[-1], err=True)
    except click.Abort:  # the end of the input
        raise refusal from None
    return choice
