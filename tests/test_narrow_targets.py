"""Machines with other widths get the best way to learn that is legal there, and its cost in words.

Each is a machine file of a user's, as `compile --target` reads it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiled_program import network, stimulus
from conv_network import conv_network
from plastic_maps import network as plastic_maps

import clapp_neuro
from clapp_neuro.config import read_experiment
from clapp_neuro.errors import InputError
from compiler import kept
from compiler.backends import tensor
from compiler.backends.simulator import simulate, trace
from compiler.passes.lowering.consolidation import CARRY, Consolidation
from compiler.pipeline import Compiled, compile_network
from compiler.products import carries, direct, transfers
from compiler.program import Program
from compiler.soundness import fault
from compiler.targets import Target, load_target
from compiler.verify import compare

ROOT = Path(__file__).parent.parent


def described(folder: Path, **limits: int) -> Path:
    path = folder / "mine.json"
    path.write_text(json.dumps({"extends": "loihi2", "limits": limits}))
    return path


def machine(folder: Path, **limits: int) -> Target:
    return load_target(str(described(folder, **limits)))


def kinds(program: Program) -> set[str]:
    """How the program's synapses consolidate what they learn."""
    forms = {"carry": carries, "transfer": transfers, "direct": direct}
    found = set()
    for s in program.synapses:
        if s.rule is not None:
            found |= {"pair"} if s.paired else {k for k, form in forms.items() if form(s.rule)}
    return found


def told(compiled: Compiled) -> str:
    return "\n".join(note.text for note in compiled.notes)


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        ({}, "carry"),
        ({"tag_bits": 8}, "carry"),
        ({"tag_bits": 5}, "pair"),
        ({"tag_bits": 3}, "pair"),
        ({"tag_bits": 0}, "pair"),
        ({"weight_bits": 6}, "carry"),
        ({"weight_bits": 6, "tag_bits": 0}, "pair"),
        ({"weight_bits": 3, "tag_bits": 0}, "pair"),
        ({"weight_bits": 2, "tag_bits": 0}, "direct"),  # half of a low synapse's range is nothing
        ({"decimation_exponent": 0, "tag_bits": 0}, "pair"),  # nothing is counted out by a rule
        ({"decimation_exponent": 3}, "pair"),  # a fixation takes longer than it counts
        ({"decimation_exponent": 6}, "carry"),
        ({"trace_bits": 7, "tag_bits": 0}, "pair"),
    ],
)
def test_each_gets_the_best_that_is_legal_there(
    limits: dict[str, int], kind: str, tmp_path: Path
) -> None:
    compiled = compile_network(network(), machine(tmp_path, **limits))
    program = compiled.program
    assert fault(program) is None
    assert kinds(program) == {kind}
    assert program.weight_max == 2 ** (limits.get("weight_bits", 8) - 1) - 1
    assert kept.cost(kind, limits.get("weight_bits", 8)) in told(compiled)
    seen = stimulus(program, 40)
    *_, comparison = compare(program, tensor.trace(program, seen), trace(program, seen))
    assert comparison.equal
    learned = simulate(program, seen).program
    if kind != "direct":  # such coarse weights do not change in so few fixations
        assert any(not np.array_equal(a.weights, b.weights)
                   for a, b in zip(program.synapses, learned.synapses, strict=True))  # fmt: skip


def test_tags_are_carried_as_seldom_as_the_engine_counts(tmp_path: Path) -> None:
    for reach in (4, 6, 9):
        compiled = compile_network(network(), machine(tmp_path, decimation_exponent=reach))
        every = 2**reach // compiled.program.timetable.period
        assert f"tags are carried into weights every {min(32, every)} fixations" in told(compiled)


def test_low_synapses_of_fewer_bits_count_coarser(tmp_path: Path) -> None:
    source = network()
    for bits, fine in ((8, 6), (6, 4), (4, 2)):
        program = compile_network(source, machine(tmp_path, weight_bits=bits, tag_bits=0)).program
        for high, low in ((p, program.low[p.name]) for p in program.synapses if not p.paired):
            assert low.fine == fine
            both = (2**fine * high.weights.astype(int) + low.weights) * low.unit
            given = next(p.weights for p in source.projections if p.name == high.name)
            scale = source.population(high.source).scale
            # half a unit, and what rounding to 1/64 of the high unit has moved before
            assert np.abs(both - given * scale).max() <= low.unit * 0.63


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"trace_bits": 5}, "trace x1 7 exceeds .* by 2; counts fill 7 bits: use"),
        ({"trace_bits": 5, "tag_bits": 0}, "trace x1 7 exceeds .* by 2"),
        ({"post_registers": 2, "tag_bits": 0}, "make some of its projections static"),
    ],
)
def test_where_none_is_legal_the_remedy_is_said(
    limits: dict[str, int], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        compile_network(network(), machine(tmp_path, **limits))


def test_where_a_pair_has_no_room_each_update_is_rounded(tmp_path: Path) -> None:
    """On a single core with memory for one set of synapses, and not for two."""
    one_core = {"chips": 1, "usable_cores_per_chip": 1, "cores_per_chip": 1, "tag_bits": 0}
    roomy = compile_network(network(), machine(tmp_path, **one_core))
    (core,) = roomy.placement.cores
    needed = sum(part.memory_bytes for part in core.slices)
    small = machine(tmp_path, **one_core, synaptic_bytes_per_core=needed - 1)
    compiled = compile_network(network(), small)
    assert kinds(roomy.program) == {"pair"}
    assert kinds(compiled.program) == {"direct"}
    assert "pair would be better, but: " in told(compiled)
    assert kept.cost("direct", 8) in told(compiled)
    with pytest.raises(InputError, match=r"synaptic memory|cores"):
        compile_network(network(), small, consolidation=Consolidation("pair"))


def test_what_is_asked_for_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tag 8 exceeds"):
        compile_network(network(), machine(tmp_path, tag_bits=0), consolidation=CARRY)


def test_an_interval_alone_leaves_the_choice_to_the_compiler(tmp_path: Path) -> None:
    every = Consolidation(None, 24)
    program = compile_network(network(), machine(tmp_path, tag_bits=0), consolidation=every).program
    assert {s.averaged for s in program.synapses} == {24}
    with pytest.raises(InputError, match="a power of two"):
        compile_network(network(), machine(tmp_path), consolidation=every)


def test_kernels_need_tags(tmp_path: Path) -> None:
    target = machine(tmp_path, tag_bits=0)
    with pytest.raises(InputError, match=r"kernels learn by a carry only.* use a machine"):
        compile_network(plastic_maps(layers=(4,), patch=6), target)
    with pytest.raises(InputError, match="tag"):
        compile_network(plastic_maps(layers=(4,), patch=6), target, averaged=2, sequential=True)
    assert compile_network(conv_network((4, 4), (1, 2)), target).placement.cores


def test_kernels_in_turn_take_no_other_consolidation() -> None:
    source = plastic_maps(layers=(4,), patch=6)
    for how in (Consolidation("direct"), Consolidation("pair"), Consolidation(None, 8)):
        with pytest.raises(InputError, match="leave --consolidation and --consolidate-every out"):
            compile_network(
                source, load_target("loihi2-sim"), averaged=2, sequential=True, consolidation=how
            )


def test_compile_as_a_user_runs_it(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "data": {"dataset": "fashion-mnist", "images": 100},
        "encoder": {"layers": [12]},
        "train": {"mode": "online", "steps": 0},
    }
    clapp_neuro.train(read_experiment(values, "test"), tmp_path / "start.pt")
    target = str(described(tmp_path, tag_bits=0))
    result = clapp_neuro.compile(tmp_path / "start.pt", target, tmp_path / "pair.clapp")
    assert all(abs(e.matrix - 1) < 0.2 for e in result.examples if e.matrix is not None)
    assert len(result.examples) == 3
    clapp_neuro.run(tmp_path / "pair.clapp", images=20, learn=True, out=tmp_path / "after.clapp")
    assert clapp_neuro.verify(tmp_path / "after.clapp", against="tensor", learn=True).equal
    against = clapp_neuro.verify(tmp_path / "pair.clapp", against="reference", learn=True)
    assert against.agreement["layer1.prediction change"]["correlation"] > 0.9


def test_figures_are_those_of_the_page() -> None:
    """Written together by `python benchmarks/on_chip --summary`."""
    found = json.loads((ROOT / "docs" / "results" / "on_chip.json").read_text())
    network_ = next(iter(found["networks"].values()))
    ways = {"carry": network_["default"], **network_["variants"]}
    rows = {"carry": "carry", "transfer": "batch-32", "pair": "pair-32", "direct": "direct"}
    measured = kept.measured()
    assert measured.keys() == {kind for kind, row in rows.items() if row in ways}
    for kind, figures in measured.items():
        way = ways[rows[kind]]
        assert figures.loss_gain == pytest.approx(np.mean(way["loss_gain"], axis=0))
        assert figures.seeds == len(way["seeds"])
