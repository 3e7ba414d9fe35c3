"""One contract that every layer keeps: its example builds, and torch agrees with all that is said of it."""

from __future__ import annotations

import json

import pytest

from netspec.dims import Dim, Size, substitute
from netspec.faults import Invalid
from netspec.layers.base import Layer
from netspec.python.nodes import Code, named
from netspec.tensors import Tensor
from tests import written
from tests.layers import reference
from tests.layers.examples import CLASSES, LAYERS, example, example_inputs, example_values

SIZES: dict[str, Size] = {"B": 2, "T": 5}
every_layer = pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)


def concrete(tensors: list[Tensor]) -> list[Tensor]:
    return [reference.with_sizes(t, SIZES) for t in tensors]


def resolved(shapes: object) -> object:
    if isinstance(shapes, Tensor):
        return reference.with_sizes(shapes, SIZES)
    return tuple(resolved(s) for s in shapes) if isinstance(shapes, tuple) else shapes


@every_layer
def test_example_names_its_class(cls: type[Layer]) -> None:
    word = cls.example.split()[0].split("(")[0]
    assert cls in LAYERS.find(word)


@every_layer
def test_torch_agrees_on_shapes_and_parameters(cls: type[Layer]) -> None:
    op, inputs = example(cls)
    module = reference.build(op)
    assert reference.parameters(module) == list(op.parameters().items())
    assert reference.buffers(module) == list(op.buffers().items())
    result = reference.run_module(op, module, [reference.sample(t) for t in concrete(inputs)])
    assert reference.described(result) == resolved(op.shape(*inputs))


@every_layer
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_function_computes_what_the_module_does(cls: type[Layer], training: bool) -> None:
    op, inputs = example(cls)
    if op.needs_module():
        return
    text = written.called(op, [f"x{i}" for i in range(len(inputs))])
    tensors = [reference.sample(t) for t in concrete(inputs)]
    module = reference.build(op).train(training)
    assert reference.equal(
        reference.run_function(text, tensors, training), reference.run_module(op, module, tensors)
    ), text


@every_layer
def test_what_owns_parameters_is_no_function(cls: type[Layer]) -> None:
    op, _ = example(cls)
    if op.parameters() or op.buffers():
        assert op.needs_module()


@every_layer
def test_rendering_takes_code_for_any_number(cls: type[Layer]) -> None:
    op, inputs = example(cls)
    coded = op.replace(**{name: Code(named(f"self.{name}")) for name in example_values(cls) if cls.fields[name].torch})
    names = [f"self.{name}" for name in example_values(cls) if cls.fields[name].torch]
    texts = [written.construct(coded)]
    texts += [] if op.needs_module() else [written.called(coded, [f"x{i}" for i in range(len(inputs))])]
    assert all(name in text for name in names for text in texts if not isinstance(getattr(op, name[5:]), bool))


@every_layer
def test_json_schema_is_plain_data(cls: type[Layer]) -> None:
    schema = json.loads(json.dumps(cls.json_schema()))
    assert set(schema["properties"]) == set(cls.fields)


@every_layer
def test_unknown_argument_is_refused(cls: type[Layer]) -> None:
    with pytest.raises(Invalid):
        cls(**{**example_values(cls), "colour": 3})


@every_layer
def test_reads_like_its_documentation(cls: type[Layer]) -> None:
    first = (cls.__doc__ or "").splitlines()[0]
    assert first.endswith("."), "the docstring opens with one sentence"
    assert not first.startswith(("A ", "An ", "The ")), "and says what the layer does"
    for field in cls.fields.values():
        assert field.sentence[0].islower(), field.name
        assert not field.sentence.endswith("."), field.name


@every_layer
def test_macs_are_a_size(cls: type[Layer]) -> None:
    op, inputs = example(cls)
    output = op.shape(*inputs)
    macs = op.macs(inputs, output[0] if isinstance(output, tuple) else output)
    assert macs is None or isinstance(substitute(macs, SIZES), int)
    assert isinstance(macs, Dim | int | None)
    assert example_inputs(cls) == inputs
