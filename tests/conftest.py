"""Before any test: the files that take longest come first, so that no process is left alone with one at the end.

torch has one thread in each of the processes that share the work, and where a test asks for more, they sleep while they
wait: turning, they would take the time of the others. No example of a property is refused for the time
it took, which is that of everything else the machine does too.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from netspec.plugins import loading, registering
from netspec.python import reserved

LONG: Final = (
    *("test_benchmarks.py", "test_campaigns.py", "test_many.py", "test_many_command.py"),
    *("test_given_weights.py", "test_sweep.py", "test_printed.py"),
)
LARGE: Final = (
    *("fcn_resnet50", "densenet121", "crnn_ocr", "efficientnet_b0", "googlenet", "convnext_tiny", "resnet50"),
    *("maxvit_t", "regnet_y_400mf", "conformer", "vgg16", "vgg16_bn", "inception_v3"),
    *("t5", "clip_model", "unet_ddpm", "swin_t", "llama_cached", "alexnet", "airbench94"),
    *("mamba_tiny", "mixtral_tiny", "distilbert", "efficientnet_v2_s"),
)
OF_LARGE: Final = (
    "code/test_architectures.py",
    "code/test_dtypes.py",
    "code/test_given_weights.py",
    "code/test_root_arguments.py",
    "code/test_specs.py",
    "format/test_networks.py",
    "format/test_specs.py",
)
"""Files of tests that go over all ready specs, and leave out the large ones of them but where more is asked for."""
LATER: Final = (
    "test_the_recipe_is_trained_and_measured",
    "test_a_step_computes_hardly_more_than_a_loop_by_hand",
    *(
        f"test_every_optimizer_with_a_schedule[{name}]"
        for name in ("Adadelta", "Adagrad", "Adam", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop")
    ),
    *(
        f"test_every_schedule[{name}]"
        for name in ("StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR", "CyclicLR")
    ),
    "test_a_signal_to_the_whole_group_is_the_masters_to_answer[2]",
    *(f"test_every_benchmark_runs[{name}]" for name in ("streaming", "exporting")),
    "test_data_larger_than_its_memory_stays_outside_of_it",
    "test_nothing_is_lost[--refusals]",
    "test_nothing_is_lost[--signals]",
    "test_a_process_that_dies_ends_the_run_and_it_goes_on_until_a_signal",
    "test_killed_stopped_and_joined",
    "test_a_long_text_in_many_cells_is_held_once",
    "test_few_networks_are_tried_to_print_one_and_all",
    "test_no_argument_lies_in_any_spec_that_is_drawn",
    "test_ready_specs_are_printed_as_the_formatter_leaves_them",
    "test_what_cannot_be_compiled_is_said_before_the_first_update",
    "test_a_compiled_network",
    "test_a_compiled_network_gives_scores_a_few_at_a_time_too",
    "test_a_file_of_scans_in_scans_is_right_for_every_length",
    "test_a_signal_to_one_process_stops_all_and_saves_once",
    *(f"test_networks_of_every_kind[{kind}]" for kind in ("lstm", "open steps", "encoder", "deciding")),
    "test_a_generator_is_exported",
    "test_every_operation_in_many_cases",
    "test_the_table_of_ready_specs_is_fresh",
    "test_every_other_ready_spec_is_exported",
    "test_a_size_that_torch_fixes_is_named",
    "test_each_output_whose_loss_knows_probabilities_gives_them[traced]",
    *(f"test_an_example_runs[{name}]" for name in ("distillation", "detector")),
    *(f"test_a_ready_spec_is_its_original[{name}]" for name in ("t5", "swin_t", "unet_ddpm")),
    "test_the_whole_command_runs",
    "test_training_imports_no_dynamo[muon]",
    "test_large_specs_end_soon_and_say_little[nested]",
    "test_the_example_runs_in_a_notebook",
    "test_nothing_overlaps_at_any_width[graph]",
    "test_the_peak_is_that_of_a_process_of_its_own",
    "test_inception_has_torchvisions_auxiliary_classifier",
    "test_a_residual_network_loses_little",
    "test_a_width_that_blocks_hand_on_through_conditions_is_known_behind_many_of_them",
    "test_another_version_says_and_prints_the_same[3.12]",
    *(
        f"test_twice_as_much_is_twice_the_work_of_each_reader[export-{kind}]"
        for kind in (
            "names",
            "levels",
            "members of one list",
            "rounds",
            "aliases of aliases",
            "ties in a chain",
            "outputs",
        )
    ),
)
"""Tests that take long, of what other tests hold in the small."""

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile(
    "netspec", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
settings.load_profile("netspec")


@pytest.fixture(autouse=True)
def without_plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test begins and ends without plugins: a run that is trained later would be noted as begun with them."""
    for catalogue in registering.CATALOGUES.values():
        monkeypatch.setattr(catalogue, "_added", {})
    monkeypatch.setattr(loading, "_loaded", {})
    words = set(reserved.RESERVED)
    yield
    reserved.RESERVED.intersection_update(words)
    for name in loading.loaded():
        sys.modules.pop(Path(name).stem, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the longest files first, each file's together."""
    items.sort(key=lambda item: item.path.name not in LONG)
    if "NETSPEC_TEST_MORE" not in os.environ:
        for item in filter(_takes_long, items):
            item.add_marker(pytest.mark.skip(reason="takes long; NETSPEC_TEST_MORE=1 runs it"))


def pytest_collection_finish() -> None:
    """What there is now stays to the end: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def _takes_long(item: pytest.Item) -> bool:
    large = item.path.as_posix().endswith(OF_LARGE) and item.name.endswith(tuple(f"[{name}]" for name in LARGE))
    return large or item.name in LATER


def pytest_runtest_setup() -> None:
    """Have onnxscript parse its functions once, and not for each export: that is half the work for a small one."""
    if "onnxscript.function_libs.torch_lib.ops" in sys.modules:  # something was exported
        apis = sys.modules["torch.onnx._internal._lazy_import"].onnxscript_apis
        if "get_torchlib_ops" not in vars(apis):
            apis.get_torchlib_ops = cache(apis.get_torchlib_ops)
