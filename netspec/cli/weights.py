"""`netspec weights`: what files of weights hold, and files of torch.save as safetensors."""

from __future__ import annotations

from pathlib import Path

import click

from netspec.cli.common import as_json, show, show_json, talk
from netspec.cli.group import traceback_option
from netspec.cli.targets import Target


class OfFile(click.Group):
    """A group whose first word is a file where it is none of its commands."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take a first word that is no command for the file that is listed."""
        own = not args or args[0] in (*self.commands, *ctx.help_option_names, "--traceback")
        return super().parse_args(ctx, args if own else ["list", *args])


@click.group(cls=OfFile, subcommand_metavar="FILE | convert FROM TO | fold RUN TO", no_args_is_help=True)
def command() -> None:
    """List the tensors of a file of weights: `netspec weights FILE`.

    FILE is a .safetensors file, an index of several, or a folder such as a run's. Only its header is read.
    `netspec weights convert FROM.pth TO.safetensors` makes one of a file of torch.save,
    `netspec weights fold RUN TO.safetensors` one of a run with lora, for the network without.
    """


@command.command("list", hidden=True)
@click.argument("file", type=click.Path(path_type=Path))
@as_json
def of_file(file: Path, as_json: bool) -> None:
    """List the tensors of FILE: name, kind of numbers and shape, and how many there are. Only its header is read."""
    from netspec.views.weights import listed_file, text_of_file
    from netspec.weights.stored import stored

    found = stored(file)
    if as_json:
        show_json(listed_file(found))
    else:
        show(text_of_file(found))


@command.command("convert")
@click.argument("source", metavar="FROM", type=click.Path(path_type=Path))
@click.argument("target", metavar="TO.safetensors", type=Target(".safetensors"))
def convert(source: Path, target: Path) -> None:
    """Make a file of safetensors of one that torch.save wrote, by torch.load(weights_only=True) and nothing else.

    The tensors are found under state_dict, model and the like, and `module.` before all names is taken away. Of
    tensors that share their memory each is written whole.
    """
    from netspec.files import need_writable
    from netspec.runtime.store.convert import converted

    need_writable(target, [source])
    for line in converted(source, target):
        talk(line)


@command.command("fold")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("target", metavar="TO.safetensors", type=Target(".safetensors"))
def fold(run: Path, target: Path) -> None:
    """Write the best weights of RUN with its small matrices of lora added to the weights that they stand beside.

    They are for the network without lora, which `netspec build SPEC --fold` prints.
    """
    from netspec.api.run import Run
    from netspec.files import need_writable
    from netspec.runtime.network.weights import save_weights

    read = Run.read(run)
    need_writable(target, read.files)
    weights = read.module(fold=True).state_dict()
    save_weights(weights, target)
    talk(f"wrote {target}: {len(weights):,} tensors, {sum(t.numel() for t in weights.values()):,} numbers")


for each in (of_file, convert, fold):
    each.params.append(traceback_option())
