"""Records and specs as types in pydantic models of other people's."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

import netspec
from netspec.layers.convolution import Conv2d
from netspec.optimizers.adam import AdamW
from netspec.optimizers.base import Optimizer
from netspec.records import Entry
from netspec.vocabulary import DATASETS, INITIALIZERS, LOSSES, METRICS, OPERATIONS, OPTIMIZERS, SCHEDULERS, TRANSFORMS

SPEC = {"input": "1x8x8", "layers": ["conv 4 k3", "relu", "fc 10"]}
CATALOGUES = (DATASETS, INITIALIZERS, LOSSES, METRICS, OPERATIONS, OPTIMIZERS, SCHEDULERS, TRANSFORMS)


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: netspec.Spec
    layer: Conv2d
    optimizer: AdamW = AdamW(lr=0.1)


def config(**changed: object) -> Config:
    return Config.model_validate({"model": SPEC, "layer": {"out_channels": 6, "kernel_size": [3, 5]}, **changed})


def test_a_model_takes_and_gives_them_as_data() -> None:
    whole = config()
    assert whole.layer == Conv2d(out_channels=6, kernel_size=(3, 5))
    assert whole.model.graph.parameter_count == 4 * 9 + 4 + 144 * 10 + 10
    assert whole.model_dump() == {
        "model": SPEC,
        "layer": {"out_channels": 6, "kernel_size": (3, 5)},
        "optimizer": {"lr": 0.1},
    }
    again = Config.model_validate_json(whole.model_dump_json())
    assert (again.layer, again.optimizer) == (whole.layer, whole.optimizer)
    assert again.model.source() == whole.model.source()


def test_instances_are_taken_as_they_are() -> None:
    spec, layer = netspec.loads("input: 8\nlayers: [fc 2]"), Conv2d(out_channels=1, kernel_size=1)
    whole = config(model=spec, layer=layer)
    assert whole.model is spec
    assert whole.layer is layer


def test_a_spec_is_taken_as_text_or_as_the_path_of_its_file(tmp_path: Path) -> None:
    text = "name: Tiny\ninput: 8\nlayers: [fc 2]\n"
    (tmp_path / "tiny.yaml").write_text(text)
    takes = TypeAdapter(netspec.Spec)
    assert takes.validate_python(text).name == takes.validate_python(tmp_path / "tiny.yaml").name == "Tiny"
    assert takes.validate_python(tmp_path / "tiny.yaml").root == tmp_path.resolve()


def test_what_lies_over_a_spec_is_dumped_with_it() -> None:
    spec = netspec.loads("params: {width: 4}\ninput: 8\nlayers: [fc $width]", ["params.width=7"])
    assert TypeAdapter(netspec.Spec).dump_python(spec)["params"] == {"width": 7}


def test_problems_are_errors_of_pydantic_at_their_paths() -> None:
    with pytest.raises(ValidationError) as caught:
        config(model={"input": "1x8x8", "layers": ["conv 4 k9", "fc 3 7"]}, layer={"out_channels": "x", "kernel": 3})
    found = {(error["loc"], error["type"]) for error in caught.value.errors()}
    assert found == {
        (("model", "layers", 0), "shape-mismatch"),
        (("model", "layers", 1), "bad-argument"),
        (("layer", "out_channels"), "bad-argument"),
        (("layer",), "missing-argument"),
        (("layer", "kernel"), "unknown-argument"),
    }
    assert "Did you mean 'kernel_size'?" in str(caught.value)


@pytest.mark.parametrize("value", [3, None, ["conv 6 k5"]])
def test_what_is_neither_is_refused(value: object) -> None:
    for kind in (netspec.Spec, Conv2d):
        with pytest.raises(ValidationError, match="expected "):
            TypeAdapter(kind).validate_python(value)


def test_a_family_is_taken_as_an_instance_alone() -> None:
    takes = TypeAdapter(Optimizer)
    assert takes.validate_python(AdamW()) == AdamW()
    with pytest.raises(ValidationError, match="an instance of a class of Optimizer"):
        takes.validate_python({"lr": 0.1})


def test_the_json_schema_takes_what_the_model_takes() -> None:
    schema = Config.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    assert check.is_valid(config().model_dump(mode="json"))
    assert check.is_valid({"model": "input: 8\nlayers: [fc 2]", "layer": {"out_channels": 1, "kernel_size": 1}})
    assert not check.is_valid({"model": {"layer": []}, "layer": {"out_channels": 1, "kernel_size": 1}})
    assert not check.is_valid({"model": SPEC, "layer": {"out_channels": 1, "kernel": 1}})


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda catalogue: catalogue.noun)
def test_every_record_of_a_catalogue_has_a_schema(catalogue: object) -> None:
    classes: list[type[Entry]] = catalogue.classes()  # type: ignore[attr-defined]
    for cls in classes:
        jsonschema.Draft202012Validator.check_schema(TypeAdapter(cls).json_schema())
