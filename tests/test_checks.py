"""Design rules: everything that a target refuses is reported at once, with a remedy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from compiled_program import compiled, network

from clapp_neuro.errors import InputError
from compiler.checks import check, refuse
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
    assert "period of a fixation" in limits_of(check(odd, LOIHI2))


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
    assert "loihi1-sim" in lines[0] and str(len(violations)) in lines[0]


def test_violations_are_plain_data():
    violation = check(compiled(), loihi2_with(weight_bits=4))[0]
    assert violation.to_json()["excess"] == violation.excess
