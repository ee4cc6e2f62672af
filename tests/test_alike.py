"""Copies of a kernel that are alike are stored once, and are all there again after reading."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import plastic_maps
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_neuro.errors import InputError
from compiler.alike import copies, lay_out, store_once
from compiler.bundle import read_bundle, write_bundle
from compiler.connectivity import on_the_map
from compiler.ir import Connection
from compiler.parts import take_apart
from compiler.program import Program


def learning(patch: int = 6) -> Program:
    return plastic_maps.program(layers=(3, 4), pool=(1,), patch=patch, rate=2**-12)


def sizes(path) -> int:
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo("arrays.safetensors").file_size


@given(
    side=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    kernel=st.sampled_from([1, 3, 5]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_copies_are_the_kernel_wherever_it_looks_at_the_map(side, kernel, seed):
    shared = np.random.default_rng(seed).integers(-9, 10, (2, 3, kernel, kernel)).astype(np.int8)
    shape = (side[0] * side[1], *shared.shape)
    assert np.array_equal(copies(shared, side), shared * on_the_map(shape, side))


@pytest.mark.parametrize("patch", [2, 3, 6])
def test_a_new_program_is_read_back_whole_from_one_kernel(tmp_path, patch):
    program = learning(patch)
    path = write_bundle(tmp_path / "new.clapp", program)
    assert read_bundle(path)[0] == program
    values, arrays = take_apart(program)
    stored = store_once(program, arrays)
    untied = [s for s in program.synapses if s.connection is Connection.UNTIED]
    assert untied and all(stored[f"{s.name}.tags"].ndim == 4 for s in untied)
    laid_out = lay_out(values, stored)
    assert all(np.array_equal(laid_out[name], arrays[name]) for name in arrays)


def test_copies_that_have_parted_are_all_stored(tmp_path):
    program = learning()
    (first, *rest) = program.synapses
    assert first.connection is Connection.UNTIED
    for array in ("weights", "tags"):
        parted = getattr(first, array).copy()
        parted[7, 0, 0, 1, 1] += 1
        changed = replace(program, synapses=(replace(first, **{array: parted}), *rest))
        path = write_bundle(tmp_path / f"{array}.clapp", changed)
        assert read_bundle(path)[0] == changed
        assert sizes(path) > sizes(write_bundle(tmp_path / "new.clapp", program))


def test_a_file_cannot_ask_for_more_copies_than_memory_holds(tmp_path):
    path = write_bundle(tmp_path / "new.clapp", learning())
    with zipfile.ZipFile(path) as archive:
        document, arrays = (archive.read(name) for name in archive.namelist())
    changed = json.loads(document)
    for population in changed["program"]["populations"]:
        if population["shape"] is not None:
            population["shape"][1:] = [10**6, 10**6]
    with zipfile.ZipFile(tmp_path / "huge.clapp", "w") as archive:
        archive.writestr("program.json", json.dumps(changed))
        archive.writestr("arrays.safetensors", arrays)
    with pytest.raises(InputError, match=r"damaged.*would take .* bytes"):
        read_bundle(tmp_path / "huge.clapp")
