"""Design rules: everything that a target refuses is reported at once, with a remedy."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import plastic_maps
import pytest
from compiled_program import compiled, network
from hypothesis import given
from hypothesis import strategies as st
from recurrent_network import recurrent_with_readout

from clapp_neuro.errors import InputError
from compiler.design_rules.checks import check, refuse
from compiler.design_rules.somata import check_somata
from compiler.design_rules.suggest import with_limits
from compiler.design_rules.violation import Violation
from compiler.passes.lowering.learning import lower_learning
from compiler.passes.lowering.schedule import schedule
from compiler.passes.quantizing.grains import grains_of
from compiler.passes.quantizing.quantize import quantize
from compiler.pipeline import compile_network
from compiler.program import Soma
from compiler.targets import load_target
from compiler.targets.limits import Limits
from compiler.terms import Reset

LOIHI2, LOIHI1 = load_target("loihi2-sim"), load_target("loihi1-sim")


def loihi2_with(**values):
    limits = LOIHI2.machine.limits
    changed = {
        name: getattr(limits, name).model_copy(update={"value": value, "low": 0})
        for name, value in values.items()
    }
    return LOIHI2.machine.model_copy(update={"limits": limits.model_copy(update=changed)})


def limits_of(violations):
    return {v.limit for v in violations}


def test_clapp_fits_loihi_2():
    assert check(compiled((196, 256, 256)), LOIHI2) == ()
    assert check(network((196, 256, 256)), LOIHI2) == ()


@pytest.mark.parametrize("subject", [compiled(), network()])
def test_clapp_on_loihi_1_lacks_three_capabilities_at_once(subject):
    violations = [v for v in check(subject, LOIHI1) if v.unit == "capability"]
    text = "\n".join(str(v) for v in violations)
    for missing in ("graded spikes", "soma that writes post values", "third factor"):
        assert missing in text
    assert all("loihi2-sim" in v.remedy for v in violations)
    assert {"layer1", "layer2"} <= {v.node for v in violations}


@pytest.mark.parametrize(
    ("limit", "value", "words", "excess"),
    [
        ("weight_bits", 6, "weight", 2),
        ("tag_bits", 0, "tag", 9),
        ("trace_bits", 6, "trace x1", 1),
        ("payload_bits", 7, "payload", 1),
        ("post_registers", 2, "post registers", 1),
        ("decimation_exponent", 5, "exponent of the carry", 4),
        ("learning_epoch", 0, "learning epoch", 1),
        ("fan_in_per_neuron", 20, "fan-in", 9),
        ("axons_in_per_core", 20, "axons into its core", 9),
        ("synaptic_bytes_per_core", 200, "synaptic memory of one neuron", 32),
        ("chips", 0, "chips", 1),
        ("axons_out_per_core", 2, "axons out", 2),
        ("accumulator_bits", 16, "largest possible sum", None),
    ],
)
def test_each_limit_is_reported_by_how_much(limit, value, words, excess):
    found = [v for v in check(compiled(), loihi2_with(**{limit: value})) if words in v.limit]
    assert found
    assert all(v.remedy and v.actual > v.allowed for v in found)
    if excess is not None:
        assert excess in {v.excess for v in found}


def test_all_violations_come_together():
    machine = loihi2_with(weight_bits=4, tag_bits=3, trace_bits=5, post_registers=1)
    found = limits_of(check(compiled(), machine))
    assert {"weight", "tag", "trace x1", "post registers"} <= found


def test_limits_that_are_not_public_are_marked_in_the_message():
    found = check(compiled(), loihi2_with(fan_in_per_neuron=20))
    assert any("(limit not public)" in v.limit for v in found)


def test_a_carry_must_fall_on_the_same_step_of_each_fixation():
    program = compiled()
    odd = replace(program, timetable=replace(program.timetable, period=15))
    found = [v for v in check(odd, LOIHI2) if "period of a fixation" in v.limit]
    assert {v.node for v in found} == {s.name for s in program.synapses}
    assert {v.excess for v in found} == {512 % 15}


def test_a_static_network_needs_no_learning():
    program = compiled(plastic=False)
    assert check(program, LOIHI2) == ()
    found = check(program, LOIHI1)
    # intensities are graded messages, and thresholds were rounded for Loihi 2
    assert {(v.node, v.limit.split()[0]) for v in found} == {
        ("input", "graded"),
        ("layer1", "threshold"),
        ("layer2", "threshold"),
    }
    for_loihi1 = compiled(plastic=False, limits=LOIHI1.machine.limits)
    assert {v.node for v in check(for_loihi1, LOIHI1)} == {"input"}


def test_refusing_lists_every_line_in_one_error():
    refuse((), "loihi2-sim")
    violations = check(compiled(limits=LOIHI1.machine.limits), LOIHI1)
    with pytest.raises(InputError) as caught:
        refuse(violations, "loihi1-sim")
    lines = str(caught.value).split("\n")
    assert len(lines) == len(violations) + 1
    missing = {v.limit for v in violations}
    assert lines[0] == (
        f"the network does not fit loihi1-sim, {len(missing)} capabilities missing:"
    )


def test_the_headline_counts_limits_and_capabilities_apart():
    limit = Violation("layer1", "fan-in", 3, 1, "synapses", "make it smaller")
    lacks = Violation("layer1", "plastic synapses", 1, 0, "capability", "compile for x")
    for found, count in (
        ((limit,), "1 limit exceeded"),
        ((lacks, replace(lacks, node="layer2")), "1 capability missing"),
        ((limit, limit, lacks), "1 capability missing and 2 limits exceeded"),
    ):
        with pytest.raises(InputError, match=f"does not fit mine, {count}:\n"):
            refuse(found, "mine")
    assert str(limit) == "layer1: fan-in 3 exceeds 1 synapse by 2; make it smaller"


def test_a_refusal_that_stops_the_lowering_too_says_both():
    violation = check(compiled(), loihi2_with(weight_bits=4))[0]
    with pytest.raises(InputError, match="1 limit exceeded") as caught:
        refuse((violation,), "mine", also="it cannot be lowered")
    assert str(caught.value).endswith("\n  it cannot be lowered")


@pytest.mark.parametrize(
    ("limit", "value", "sentence"),
    [
        (
            "axons_out_per_core",
            1,
            r"layer1: axons out of one neuron .*4 exceeds 1 axon by 3; make its targets",
        ),
        (
            "state_bytes_per_core",
            16,
            r"layer1: state of one neuron .*20 exceeds 16 bytes by 4; end fewer projections",
        ),
        ("synaptic_bytes_per_core", 200, r"exceeds 200 bytes by 32; make the layers"),
    ],
)
def test_each_limit_of_a_core_has_its_unit_and_remedy(limit, value, sentence):
    text = "\n".join(str(v) for v in check(compiled(), loihi2_with(**{limit: value})))
    assert re.search(sentence, text), text
    assert "  " not in text


def test_what_fits_no_core_hides_no_other_limit():
    machine = loihi2_with(
        fan_in_per_neuron=20,
        state_bytes_per_core=16,
        synaptic_bytes_per_core=150,
        axons_out_per_core=2,
        weight_bits=6,
    )
    found = {(v.node, v.limit.split(" (")[0]) for v in check(compiled(), machine)}
    for limit in ("fan-in", "state of one neuron", "synaptic memory of one neuron"):
        assert ("layer1", limit) in found and ("layer2", limit) in found
    assert ("layer1", "axons out of one neuron") in found
    assert ("layer1.forward", "weight") in found


def test_chips_are_counted_for_what_fits_where_the_rest_does_not():
    machine = loihi2_with(
        neurons_per_core=1, usable_cores_per_chip=2, chips=1, fan_in_per_neuron=28
    )
    found = {v.node: v for v in check(compiled((12, 8, 6)), machine)}
    assert set(found) == {"layer1", "network"}  # 12 + 8 + 8 and a gate; layer2 has 8 + 6 + 6
    assert found["network"].actual == 4  # six neurons and two comparators
    assert found["network"].remedy.startswith("what does fit a core needs 8 cores")


def test_violations_are_plain_data():
    violation = check(compiled(), loihi2_with(weight_bits=4))[0]
    assert violation.to_json()["excess"] == violation.excess


# Limits that no program exceeds, since they say what there is, or how things are encoded.
DESCRIBE = {
    "cores_per_chip",
    "usable_cores_per_chip",
    "delay_bits",
    "word_bits",
    "synapses_per_block",
    "block_overhead_bits",
    "smallest_index_bits",
    "threshold_shift",
    "bias_bits",
    "smallest_weight_exponent",
}


# Limits that a population is split for until they hold: the least part, a neuron, needs one entry,
# and no index. `tests/test_place_limits.py` draws them.
SPLIT = {
    "neurons_per_core",
    "compartment_configurations",
    "threshold_configurations",
    "index_bits",
}


def subject(kind):
    """Programs that between them need something of every limit."""
    if kind == "dense":
        return compiled((12, 8, 6))
    if kind == "maps":
        return plastic_maps.program(layers=(3, 4), pool=(1,), patch=6, rate=2**-12)
    if kind == "delayed":
        return compile_network(recurrent_with_readout(), LOIHI2).program
    biased = network((12, 8), plastic=False)
    layers = tuple(replace(p, bias=(0.3,) * 8) if p.level else p for p in biased.populations)
    quantized, _ = quantize(replace(biased, populations=layers), 127)
    plan = schedule(quantized.network)
    return lower_learning(
        quantized, plan, target="loihi2-sim", seed=0, weight_max=127, tag_max=255
    )[0]


EXCEEDED = {
    "dense": set(Limits.model_fields) - DESCRIBE - SPLIT - {"bias_exponent", "longest_delay"},
    "delayed": {"longest_delay"},
    "maps": {"axons_in_per_core", "synaptic_bytes_per_core", "fan_in_per_neuron"},
    "biased": {"bias_exponent"},
}


@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind, keys in EXCEEDED.items() for key in sorted(keys)]
)
def test_at_each_limit_it_fits_and_one_below_it_does_not(kind, key):
    program = subject(kind)
    tight = loihi2_with(bias_bits=4) if kind == "biased" else LOIHI2.machine

    def over(value):
        machine = with_limits(tight, {key: value})
        return [v for v in check(program, machine) if v.key == key]

    least = {"largest_weight_exponent": -6, "axons_out_per_core": 1}.get(key, 0)
    if key in ("chips", "axons_out_per_core"):  # depend on how it is split
        tight = with_limits(tight, {"neurons_per_core": 1, "usable_cores_per_chip": 2})
    found = over(least)
    assert found and all(v.remedy and v.actual > v.allowed for v in found)
    exactly = max(v.needs for v in found)
    assert not over(exactly)
    assert exactly - 1 < least or over(exactly - 1)


def test_every_limit_is_checked():
    assert set(Limits.model_fields) == DESCRIBE | SPLIT | set().union(*EXCEEDED.values())


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("threshold_shift", 20, r"threshold modulo 2\^20"),
        ("bias_bits", 2, "exponent of a bias|bias beyond a mantissa"),
        ("smallest_weight_exponent", 2, "exponent of weights, downwards"),
    ],
)
def test_numbers_between_those_that_a_machine_has_are_named(limit, value, words):
    found = check(subject("biased"), loihi2_with(**{limit: value}))
    assert any(re.search(words, v.limit) for v in found)


@given(st.integers(-(2**23) + 1, 2**23 - 1), st.integers(1, 23), st.integers(0, 12))
def test_what_is_rounded_for_a_machine_is_what_it_has(value, bits, shift):
    limits = loihi2_with(bias_bits=bits, bias_exponent=23, threshold_shift=shift).limits
    grains = grains_of(limits)
    exact = np.array([value], float)
    for grain in (grains.bias(exact), grains.threshold(exact)):
        assert np.rint(exact / grain) * grain == pytest.approx(exact, abs=float(grain[0]) / 2)
    bias = int((np.rint(exact / grains.bias(exact)) * grains.bias(exact))[0])
    soma = Soma(4000, 1 << 20, Reset.SUBTRACT, 0, False, bias=(bias,))
    program = replace(compiled(plastic=False), gates=())
    population = replace(program.populations[1], soma=soma)
    program = replace(program, populations=(program.populations[0], population))
    program = replace(program, synapses=program.synapses[:1])
    limits_of_bias = [v for v in check_somata(program, limits) if "bias" in v.limit]
    assert limits_of_bias == []


def test_the_farthest_beyond_its_limit_comes_first():
    machine = loihi2_with(weight_bits=6, tag_bits=2, synaptic_bytes_per_core=20)
    times = [v.times for v in check(compiled(), machine)]
    assert times == sorted(times, reverse=True) and times[0] > 2 > times[-1]


def refused(target, source):
    with pytest.raises(InputError) as caught:
        compile_network(source, target)
    return str(caught.value).split("\n")


def test_a_refusal_says_what_was_assumed_and_what_was_tried(tmp_path):
    text = '{"extends": "loihi2", "limits": {"fan_in_per_neuron": 20, "axons_in_per_core": 25}}'
    (tmp_path / "tight.json").write_text(text)
    source = network((12, 8, 6))
    lines = refused(load_target(str(tmp_path / "tight.json")), source)
    assert re.search("fan_in_per_neuron 20, axons_in_per_core 25|assumed", "\n".join(lines))
    (tried,) = (line for line in lines if "these limits" in line)
    limits = json.loads(tried[tried.index("{") :])
    assert set(limits) == {"fan_in_per_neuron", "axons_in_per_core"}
    cores = int(re.search(r"takes (\d+) core", tried).group(1))
    (tmp_path / "wide.json").write_text(json.dumps({"extends": "loihi2", "limits": limits}))
    wide = compile_network(source, load_target(str(tmp_path / "wide.json")))
    assert len(wide.placement.cores) == cores
    assert any("tried: oheo-gulch-sim takes it" in line for line in lines)


def test_the_assumption_that_refuses_on_loihi_2_is_named_and_its_remedy_compiles(tmp_path):
    source = network((5_000, 3), plastic=False)
    lines = refused(LOIHI2, source)
    text = "\n".join(lines)
    assert "limit not public" in text and "taken as a conservative one" in text
    (tried,) = (line for line in lines if "--target names" in line)
    (tmp_path / "mine.json").write_text(tried[tried.index("{") :])
    assert compile_network(source, load_target(str(tmp_path / "mine.json"))).placement.cores
    assert any("tried: generic-sim takes it" in line for line in lines)


def test_nothing_is_suggested_that_does_not_help():
    source = network((12, 8))
    lines = refused(LOIHI1, source)
    assert not any("where --target names" in line for line in lines)
    assert any("tried: oheo-gulch-sim takes it" in line for line in lines)
