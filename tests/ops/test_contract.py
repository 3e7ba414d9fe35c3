"""One contract that every operation keeps: torch agrees with all that its example says."""

from __future__ import annotations

import ast
import json

import pytest

from netspec import layers, ops
from netspec.dims import Dim, Size, substitute
from netspec.faults import Invalid
from netspec.layers.base import Op
from netspec.python.nodes import Code, named
from netspec.tensors import Tensor
from tests import written
from tests.ops import reference
from tests.ops.examples import CLASSES, OPERATIONS, example, example_inputs

SIZES: dict[str, Size] = {"B": 2, "T": 5}
every_operation = pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)


def concrete(op: Op) -> Op:
    """The operation with numbers for the sizes that are known only at run time."""
    return op.replace(**{name: _number(getattr(op, name)) for name in op.fields})


def _number(value: object) -> object:
    if isinstance(value, Dim):
        return substitute(value, SIZES)
    return tuple(_number(v) for v in value) if isinstance(value, tuple) else value


@every_operation
def test_example_names_its_class(cls: type[Op]) -> None:
    word = cls.example.split()[0].split("(")[0]
    assert cls in OPERATIONS.find(word)


@every_operation
def test_torch_agrees_on_shapes_and_dtypes(cls: type[Op]) -> None:
    op, inputs = example(cls)
    tensors = [reference.with_sizes(x, SIZES) for x in inputs]
    expected = reference.with_sizes(op.shape(*inputs), SIZES)
    for training in (False, True):
        assert reference.described(reference.run(concrete(op), tensors, training)) == expected


@every_operation
def test_rendering_takes_code_for_any_number(cls: type[Op]) -> None:
    op, inputs = example(cls)
    numbers = {n: v for n in cls.fields if not isinstance(v := getattr(op, n), str | bool | None)}
    coded = op.replace(**{name: Code(named(f"self.{name}")) for name in numbers})
    names = [f"x{i}" for i in range(max(1, len(inputs)))]
    text = written.construct(coded) if coded.owned else written.called(coded, names)
    ast.parse(text, mode="eval")
    unused = {"correction", "eps", "ord", "p"} - {"p"} if "keepdim" in cls.fields else set()
    assert all(f"self.{name}" in text for name in numbers if name not in unused), text


@every_operation
def test_json_schema_is_plain_data(cls: type[Op]) -> None:
    schema = json.loads(json.dumps(cls.json_schema(), allow_nan=False))
    assert set(schema["properties"]) == set(cls.fields)


@every_operation
def test_unknown_argument_is_refused(cls: type[Op]) -> None:
    with pytest.raises(Invalid):
        cls(colour=3)


@every_operation
def test_reads_like_its_documentation(cls: type[Op]) -> None:
    first = (cls.__doc__ or "").splitlines()[0]
    assert first.endswith((".", ":")), "the docstring opens with one sentence"
    for field in cls.fields.values():
        assert field.sentence[0].islower() or field.sentence[0] == "-", field.name
        assert not field.sentence.endswith("."), field.name


@every_operation
def test_macs_are_a_size(cls: type[Op]) -> None:
    op, inputs = example(cls)
    output = op.shape(*inputs)
    macs = op.macs(inputs, output[0] if isinstance(output, tuple) else output)
    assert macs is None or isinstance(substitute(macs, SIZES), int)
    assert example_inputs(cls) == inputs


def test_families_list_every_word() -> None:
    for file, words in ops.FAMILIES.items():
        assert set(words.lower().split()) == set(OPERATIONS.members(f"netspec.ops.{file}")), file


def test_no_word_means_two_things() -> None:
    words = [w.lower() for text in ops.FAMILIES.values() for w in text.split()]
    shared = {"layer_norm", "group_norm", "rms_norm"}  # with the weights as inputs these are functions, else modules
    others = {w.lower() for text in layers.FAMILIES.values() for w in text.split()}
    assert len(words) == len(set(words))
    assert set(words) & others <= shared


def test_parts_are_named() -> None:
    values, indices = OPERATIONS.find("max")[0](dim=1).shape(Tensor((2, 3)))  # type: ignore[misc]
    assert (values.dtype, indices.dtype) == ("float32", "int64")
