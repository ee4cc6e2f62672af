"""Design rules: everything that a target refuses is reported at once, with a remedy."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from compiled_program import compiled, network

from clapp_neuro.errors import InputError
from compiler.checks import Violation, check, refuse
from compiler.targets import load_target

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
    violations = check(subject, LOIHI1)
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
    assert {v.node for v in found} == {"input"}  # intensities are graded messages


def test_refusing_lists_every_line_in_one_error():
    refuse((), "loihi2-sim")
    violations = check(compiled(), LOIHI1)
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
