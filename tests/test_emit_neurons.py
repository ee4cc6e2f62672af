"""A recurrent network with a readout as a project: it runs alone, equal to the bit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from test_emit import HIDDEN, SITECUSTOMIZE, python

import clapp_neuro
from compiler.backends import simulator
from compiler.backends.lava.project.compose import npz
from compiler.backends.lava.project.stored import read_arrays, read_program
from compiler.bundle import write_bundle
from compiler.ir import (
    Compartment,
    Connection,
    Network,
    Neuron,
    Population,
    Projection,
    Reset,
    Schedule,
)
from compiler.pipeline import compile_network
from compiler.targets import load_target
from compiler.trace import Stimulus

STEPS, FIXATIONS = 12, 3


def network() -> Network:
    """Graded values, a recurrent map, an all-to-all layer that feeds back, a readout."""
    random = np.random.default_rng(0)
    soma = Compartment.SOMA
    decays = tuple(random.uniform(0.3, 1, 2))
    kernels = Neuron(decays, (0.3, 0.6), Reset.SUBTRACT_ONCE, current_decay=0.5, start=0.1)
    own = tuple(random.uniform(0.5, 1, 5))
    return Network(
        (
            Population("input", 9, 0, scale=1 / 15, sequence=15, shape=(1, 3, 3)),
            Population("map", 18, 1, kernels, shape=(2, 3, 3), bias=(0.05, -0.05)),
            Population("dense", 5, 2, Neuron(own, 0.5, Reset.CLEAR)),
            Population("readout", 2, 3, Neuron(0.9, None, current_decay=0.8)),
        ),
        (
            Projection(
                "map.in", "input", "map", soma, random.normal(0, 1, (2, 1, 3, 3)),
                connection=Connection.CONVOLUTION,
            ),
            Projection(
                "map.again", "map", "map", soma, random.normal(0, 0.3, (2, 2, 3, 3)),
                connection=Connection.CONVOLUTION, delay=2,
            ),
            Projection("dense.in", "map", "dense", soma, random.normal(0, 1, (5, 18))),
            Projection(
                "dense.itself", "dense", "dense", soma, random.normal(0, 0.5, 5),
                connection=Connection.ONE_TO_ONE, delay=1,
            ),
            Projection("back", "dense", "map", soma, random.normal(0, 0.3, (18, 5)), delay=3),
            Projection("skip", "map", "readout", soma, random.normal(0, 1, (2, 18)), delay=1),
            Projection("readout.in", "dense", "readout", soma, random.normal(0, 1, (2, 5))),
        ),
        Schedule(STEPS),
    )  # fmt: skip


def test_a_recurrent_network_runs_alone_equal_to_the_bit(tmp_path: Path) -> None:
    program = compile_network(network(), load_target("loihi2-lava")).program
    given = np.random.default_rng(1).integers(-15, 16, (FIXATIONS, STEPS, 9)).astype(np.int16)
    bundle = write_bundle(tmp_path / "model.clapp", program)
    (tmp_path / "shown.npz").write_bytes(npz({"input.intensities": given}))
    project = clapp_neuro.emit(bundle, tmp_path / "project", stimulus=tmp_path / "shown.npz").path
    assert read_program(project) == program
    expected = read_arrays(project / "expected.npz")
    answer = simulator.answer(program, Stimulus({"input": given}, {}))
    assert np.array_equal(expected["readout.potential"], answer.potentials["readout"][:, -1])
    assert all(expected[f"{name}.counts"].any() for name in ("map", "dense"))
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE.format(hidden=HIDDEN))
    alone = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = python(project, alone, "run.py")
    compared = sum(array.size for array in expected.values())
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"equal: {compared} values, 0 differ" in done.stdout
    text = (project / "README.md").read_text("utf-8")
    assert "no threshold" in text and "delay 3" in text
