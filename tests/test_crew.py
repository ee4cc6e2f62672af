"""Two processes learn what one learns from the minibatch of both, to float error."""

import os
import socket
import subprocess
import sys

import pytest
import torch

from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.config import load_preset, with_settings
from clapp_neuro.data import fashion
from clapp_neuro.training import train

METHODS = ["clapp", "clapp-s", "gim", "cpc", "greedy-supervised", "dfa", "lpl", "predictive-coding"]

SCRIPT = """
import sys, torch
from clapp_neuro.config import read_experiment
from clapp_neuro.training import train
from pathlib import Path
torch.set_num_threads(1)
folder = Path(sys.argv[1])
import json
for name, values in json.loads((folder / "experiments.json").read_text()).items():
    train(read_experiment(values, name), folder / f"{name}-two.pt", data=sys.argv[2])
"""


def experiment(method, batch_size):
    return with_settings(
        load_preset("fashion-conv"),
        data={"patch": 12, "stride": 8, "images": 64},
        encoder={"layers": (4, 6), "pool": (1,)},
        train={"method": method, "batch_size": batch_size, "steps": 4},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Checkpoints of every method by two processes with minibatches of 8."""
    import json

    folder = tmp_path_factory.mktemp("crew")
    values = {m: experiment(m, 8).model_dump(mode="json") for m in METHODS}
    (folder / "experiments.json").write_text(json.dumps(values))
    (folder / "script.py").write_text(SCRIPT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    shipped = os.path.join(os.path.dirname(fashion.__file__), "shipped")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2",
         f"--master-port={port}", str(folder / "script.py"), str(folder), shipped],
        env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_equal_one_with_twice_the_minibatch(method, folder, tmp_path):
    shipped = os.path.join(os.path.dirname(fashion.__file__), "shipped")
    train(experiment(method, 16), tmp_path / "one.pt", data=shipped)
    one = load_checkpoint(tmp_path / "one.pt").weights
    two = load_checkpoint(folder / f"{method}-two.pt").weights
    start = train(with_settings(experiment(method, 16), train={"steps": 0}), tmp_path / "s.pt")
    begun = load_checkpoint(start.path).weights
    changed = 0
    for name, weight in one.items():
        moved = (weight - begun[name]).norm()
        if moved > 0:
            # Adam divides by the gradient's own size, which magnifies rounding where it is small
            assert (weight - two[name]).norm() < 0.01 * moved, name
            changed += 1
    assert changed >= 2
    assert torch.isfinite(two["layer1.forward"]).all()
