"""A recurrent network with a readout as a project: it runs alone, equal to the bit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from recurrent_network import STEPS, recurrent_with_readout
from test_emit import HIDDEN, SITECUSTOMIZE, python

import clapp_neuro
from compiler.backends import simulator
from compiler.backends.lava.project.compose import npz
from compiler.backends.lava.project.stored import read_arrays, read_program
from compiler.bundle import write_bundle
from compiler.pipeline import compile_network
from compiler.targets import load_target
from compiler.trace import Stimulus

FIXATIONS = 3


def test_a_recurrent_network_runs_alone_equal_to_the_bit(tmp_path: Path) -> None:
    program = compile_network(recurrent_with_readout(), load_target("loihi2-lava")).program
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
