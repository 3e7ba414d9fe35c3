"""The files of jobs for clusters, word by word; NETSPEC_OVERWRITE_GOLDEN=1 renews them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.test_commands import DIGITS, ROOT, run
from tests.reviewed import assert_reviewed

GOLDEN = Path(__file__).parent / "golden"
SHOWN = "specs/lenet5_digits.yaml"
OVERRIDE = "train.optimizer=adamw lr=$(1e-3)"


def printed(*arguments: str) -> str:
    done = run("launch", DIGITS, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace(DIGITS, SHOWN)


@pytest.mark.parametrize(("kind", "name"), [("slurm", "launch.slurm.sh"), ("k8s", "launch.k8s.yaml")])
def test_the_file(kind: str, name: str) -> None:
    found = printed("--print", kind, "--nodes", "2", "--nproc", "4", "--time", "1d6h", "--run", "runs/a b", OVERRIDE)
    assert_reviewed(found, GOLDEN / name)


def test_slurm_takes_it_and_the_words_arrive_whole(tmp_path: Path) -> None:
    text = printed("--print", "slurm", "--run", "runs/a b", OVERRIDE)
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    for name, does in (("srun", 'shift; printf "%s\\n" "$@" > words'), ("scontrol", "echo node7")):
        (tmp_path / name).write_text(f"#!/bin/bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    slurm = {"SLURM_JOB_ID": "20007", "SLURM_JOB_NODELIST": "node[7-8]", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash"], input=text, text=True, check=True, cwd=tmp_path, env=slurm)
    words = (tmp_path / "words").read_text().splitlines()
    assert words[0] == "torchrun"
    assert "--rdzv-endpoint=node7:20007" in words
    assert words[words.index("--") + 1 :] == [
        *("netspec", "train", SHOWN, OVERRIDE, "--run", "runs/a b", "--resume", "auto"),
    ]  # fmt: skip


def test_kubernetes_takes_it() -> None:
    text = printed("--print", "k8s", "--nodes", "3", "--nproc", "2", "--image", "a: b", OVERRIDE)
    service, job = yaml.safe_load_all(text)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert service["metadata"]["name"] == job["metadata"]["name"] == "lenet5"
    assert service["spec"]["selector"] == {"job-name": "lenet5"}
    assert (job["spec"]["completions"], job["spec"]["completionMode"]) == (3, "Indexed")
    assert container["image"] == "a: b"
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 2}
    # Kubernetes itself reads $(NAME), and $$( as $(.
    assert OVERRIDE.replace("$(", "$$(") in container["args"]
    assert re.search(r"--master-addr=lenet5-0\.lenet5", shlex.join(container["args"]))


def test_a_run_on_the_processor_asks_for_no_gpu() -> None:
    for kind in ("slurm", "k8s"):
        assert "gpu" not in printed("--print", kind, "train.device=cpu")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([DIGITS], 2, "--print"),
        ([DIGITS, "--print", "pbs"], 2, "slurm"),
        ([DIGITS, "--print", "slurm", "--time", "5x"], 2, "1h30m"),
        ([DIGITS, "--print", "slurm", "--nodes", "0"], 2, "--nodes"),
        ([DIGITS, "--print", "slurm", "train.epochs=0"], 3, "epochs"),
        ([str(ROOT / "specs" / "resnet18.yaml"), "--print", "slurm"], 2, "no train section"),
    ],
)
def test_what_cannot_be_launched(arguments: list[str], code: int, said: str) -> None:
    done = run("launch", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
