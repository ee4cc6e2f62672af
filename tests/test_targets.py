"""Machines as data: every figure has a band and a source, names and files fail clearly."""

from __future__ import annotations

import json
from importlib import resources

import pytest
from pydantic import BaseModel

import clapp_neuro
from clapp_neuro.errors import InputError
from compiler.targets import (
    Figure,
    NeuromorphicMachine,
    board_names,
    load_machine,
    load_target,
    machine_names,
    target_names,
)
from compiler.targets.figures import Derived, Measure, whole_of
from compiler.targets.limits import Limits


def figures(part: BaseModel) -> list[Figure]:
    found = []
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, Figure):
            found.append(value)
        elif isinstance(value, BaseModel):
            found += figures(value)
        elif isinstance(value, dict):
            found += value.values()
    return found


def test_the_targets_that_users_rely_on_exist():
    assert {"loihi2-sim", "loihi2-lava", "loihi1-sim"} <= set(target_names())
    assert {"loihi1", "loihi2", "spinnaker2", "embedded-cpu", "gpu", "cpu"} <= set(machine_names())


def test_a_target_is_a_machine_and_a_backend():
    target = load_target("loihi2-lava")
    assert (target.name, target.machine.name, target.backend) == ("loihi2-lava", "loihi2", "lava")


@pytest.mark.parametrize("name", [*machine_names(), *board_names()])
def test_every_figure_has_its_band_unit_grade_and_a_source_in_words(name):
    found = figures(load_machine(name))
    assert found
    for figure in found:
        assert figure.low <= figure.value <= figure.high
        assert figure.unit and figure.grade in "ABC"
        assert len(figure.source) > 12, "the key of a source instead of its text"
        if isinstance(figure, Measure):
            assert len(figure.conditions) > 12, "the key of conditions instead of their text"


def test_loihi_2_energy_is_an_assumption_with_a_wide_band():
    machine = load_target("loihi2-sim").machine
    for name in type(machine.energy).model_fields:
        coefficient = getattr(machine.energy, name)
        assert isinstance(coefficient, Derived) and coefficient.like.startswith("loihi1.")
        factor = machine.factors[coefficient.factor]
        assert factor.grade == "C" and factor.low <= factor.value / 5
        assert "no per-operation energy is published" in coefficient.source


def test_limits_that_are_not_public_say_so():
    limits = load_target("loihi2-sim").machine.limits
    assert not limits.axons_in_per_core.public
    assert limits.neurons_per_core.public


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'loihi2-sim'"):
        load_target("loihi2-simm")
    with pytest.raises(InputError, match="did you mean 'spinnaker2'"):
        load_machine("spinaker2")


def test_a_machine_for_comparison_only_cannot_be_compiled_for():
    with pytest.raises(InputError, match="energy comparison only"):
        load_target("gpu-sim")


def test_a_machine_file_of_ones_own_is_a_target(tmp_path):
    text = resources.files("hw_configs").joinpath("loihi2.json").read_text("utf-8")
    data = json.loads(text)
    data["name"] = "mine"
    data["limits"]["neurons_per_core"]["value"] = 100
    data["limits"]["neurons_per_core"]["low"] = 100
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(data))
    target = load_target(str(path))
    assert (target.name, target.backend) == ("mine-sim", "sim")
    assert isinstance(target.machine, NeuromorphicMachine)
    assert target.machine.limits.neurons_per_core.value == 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"[1, 2]", "a JSON object is expected"),
        (b"\x80\x04\x95pickle", "it is not text"),
        (b"{", "not valid JSON"),
        (b'{"kind": "neuromorphic", "name": "x"}', "Field required"),
        (b'{"kind": "toaster"}', "'neuromorphic' or 'conventional', not 'toaster'"),
        (b'{"sources": 3}', "'kind' must be 'neuromorphic'"),
    ],
)
def test_broken_machine_files_are_refused_in_a_sentence(tmp_path, content, message):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_target(str(path))
    assert_one_sentence(str(caught.value), path)


def assert_one_sentence(text, path):
    """Names the file and lets no wording of pydantic through."""
    assert "\n" not in text and str(path) in text
    for foreign in ("validation error", "Value error", "Figure", "pydantic", "tag"):
        assert foreign not in text.removeprefix(str(path))


def file_with(tmp_path, limit, value):
    """Loihi 2 with one limit replaced, in a file."""
    data = json.loads(resources.files("hw_configs").joinpath("loihi2.json").read_text("utf-8"))
    data["limits"][limit] |= {"value": value, "low": 0, "high": value}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("value", [0.5, 7.5, 1e300, float(2**41)])
@pytest.mark.parametrize("limit", sorted(Limits.model_fields))
def test_every_limit_is_a_whole_number_in_a_range(tmp_path, limit, value):
    path = file_with(tmp_path, limit, value)
    with pytest.raises(InputError, match=rf"limits\.{limit}: .* use a whole number") as caught:
        load_target(str(path))
    assert f"{value:.10g} is not possible" in str(caught.value)
    assert_one_sentence(str(caught.value).replace("tag_bits", ""), path)


@pytest.mark.parametrize(
    ("limit", "value", "least"),
    [
        ("usable_cores_per_chip", 0, 1),
        ("chips", 0, 1),
        ("neurons_per_core", 0, 1),
        ("state_bytes_per_core", 0, 1),
        ("axons_out_per_core", 0, 1),
        ("word_bits", 0, 1),
        ("synapses_per_block", 0, 1),
        ("weight_bits", 0, 2),
        ("weight_bits", 1, 2),
        ("accumulator_bits", 1, 2),
    ],
)
def test_a_limit_that_leaves_nothing_is_refused(tmp_path, limit, value, least):
    with pytest.raises(InputError, match=f"{limit}: {value} is not possible.* from {least} to"):
        load_target(str(file_with(tmp_path, limit, value)))


@pytest.mark.parametrize(
    "value", ['"8"x', "[8]", "null", '"eight"', "NaN", "Infinity", "1" * 400, "-3"]
)
def test_what_is_no_number_is_refused_in_a_sentence(tmp_path, value):
    path = file_with(tmp_path, "chips", 1)
    text = path.read_text().replace('"chips": {"value": 1,', f'"chips": {{"value": {value},')
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_target(str(path))
    assert_one_sentence(str(caught.value), path)


def test_a_machine_without_tags_or_registers_is_described_by_zeros(tmp_path):
    for limit in ("tag_bits", "post_registers", "trace_bits", "learning_epoch"):
        target = load_target(str(file_with(tmp_path, limit, 0)))
        assert getattr(target.machine.limits, limit).value == 0


def test_a_missing_machine_file_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_target(str(tmp_path / "none.json"))


def test_a_band_that_does_not_hold_its_value_is_refused():
    with pytest.raises(ValueError, match="low <= value <= high"):
        Figure(value=3, low=4, high=5, unit="J", grade="A", source="nobody")


def own(tmp_path, **content):
    """A machine file of one's own."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_a_file_may_extend_a_machine_and_say_only_what_differs(tmp_path):
    path = own(
        tmp_path,
        extends="loihi2",
        limits={
            "fan_in_per_neuron": 16384,
            "chips": {"value": 2, "high": 4, "source": "our board"},
            "weight_bits": {"low": 8},
        },
        capabilities={"all_plastic_or_none": True},
    )
    target, base = load_target(path), load_machine("loihi2")
    machine = target.machine
    assert (target.name, machine.title) == ("mine-sim", "mine")
    fan_in, chips = machine.limits.fan_in_per_neuron, machine.limits.chips
    assert (fan_in.low, fan_in.value, fan_in.high) == (16384, 16384, 16384)
    assert (fan_in.unit, fan_in.grade, fan_in.public) == ("synapses", "C", False)
    assert path in fan_in.source
    assert (chips.low, chips.value, chips.high, chips.source) == (2, 2, 4, "our board")
    assert machine.limits.weight_bits.low == 8
    assert machine.limits.weight_bits.source == base.limits.weight_bits.source
    assert machine.capabilities.all_plastic_or_none.value
    same = set(Limits.model_fields) - {"fan_in_per_neuron", "chips", "weight_bits"}
    assert all(getattr(machine.limits, k) == getattr(base.limits, k) for k in same)
    assert machine.energy == base.energy


def test_what_a_file_extends_may_itself_extend_another(tmp_path):
    machine = load_target(own(tmp_path, extends="kapoho-point", name="half")).machine
    assert (machine.name, machine.limits.chips.value) == ("half", 8)
    assert machine.limits.neurons_per_core == load_machine("loihi2").limits.neurons_per_core


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"extends": "loihi3"}, "did you mean 'loihi"),
        ({"extends": 3}, "'extends' is the name of a machine"),
        (
            {"extends": "loihi2", "limits": {"neuron_per_core": 5}},
            r"limits\.neuron_per_core: there is no such key, did you mean 'neurons_per_core'\?",
        ),
        ({"extends": "loihi2", "limit": {}}, "limit: there is no such key, did you mean 'limits'"),
        (
            {"extends": "loihi2", "limits": {"chips": {"value": 2, "hihg": 3}}},
            r"limits\.chips\.hihg: there is no such key, did you mean 'high'",
        ),
        (
            {
                "extends": "loihi2",
                "limits": {"synaptic_bytes_per_core": {"value": 1, "unit": "KB"}},
            },
            r"synaptic_bytes_per_core: the unit 'KB' is not possible, give the value in bytes",
        ),
        (
            {"extends": "loihi2", "energy": {"axon_in": {"value": 1, "unit": "pJ"}}},
            r"energy\.axon_in: the unit 'pJ' is not possible, use 'J'",
        ),
        ({"extends": "loihi2", "energy": {"axon_in": -1}}, "0 <= low must hold"),
        (
            {"extends": "loihi2", "energy": {"axon_in": {"value": 2, "low": 3, "high": 4}}},
            r"mine.json is not a machine file: energy\.axon_in: low <= value <= high must hold, "
            r"not 3, 2, 4; compare",
        ),
        (
            {
                "extends": "loihi2",
                "energy": {"spike": "much", "axon_in": {"value": 2, "grade": "Z"}},
            },
            r"energy\.spike\.value: Input should be a valid number.* \(and 1 more\); compare",
        ),
        (
            {"extends": "loihi2", "energy": {"spike": {"included_in": "sparks"}}},
            "energy.spike is included in 'sparks', which is no coefficient of its own: give one of",
        ),
        (
            {
                "extends": "loihi2",
                "energy": {
                    "spike": {"included_in": "axon_in"},
                    "axon_in": {"included_in": "axon_out"},
                },
            },
            "energy.spike is included in 'axon_in', which is no coefficient of its own",
        ),
        (
            {"extends": "loihi2", "limits": {"chips": {"value": 2, "low": 3}}},
            r"limits\.chips: low <= value <= high must hold, not 3, 2, 2",
        ),
        ({"extends": "loihi2", "limits": {"chips": "two"}}, "limits.chips"),
        ({"extends": "loihi2", "limits": 5}, "limits: "),
        (
            {"extends": "loihi2", "limits": {"usable_cores_per_chip": 300}},
            "<= cores_per_chip <= columns .* must hold, not 300, 128, 128",
        ),
        ({"extends": "loihi2", "capabilities": {"learning": 2}}, "capabilities.learning"),
        ({"extends": "cpu", "limits": {"chips": 2}}, "there is no such key"),
        ({"extends": "cpu"}, "has no cores"),
    ],
)
def test_what_is_wrong_with_ones_own_file_is_said_with_its_place(tmp_path, content, message):
    path = own(tmp_path, **content)
    with pytest.raises(InputError, match=message) as caught:
        load_target(path)
    assert "\n" not in str(caught.value) and path in str(caught.value)


def test_boards_are_machines_with_so_many_chips():
    chips = {name: load_target(f"{name}-sim").machine.limits.chips.value for name in board_names()}
    assert chips == {
        "nahuku": 32,
        "pohoiki-springs": 768,
        "oheo-gulch": 1,
        "kapoho-point": 8,
        "hala-point": 1152,
        "generic": 16384,
        "binary-spikes": 1152,
    }
    hala = load_machine("hala-point").limits
    assert hala.usable_cores_per_chip.value * hala.chips.value == pytest.approx(140_544)


@pytest.mark.parametrize("name", [*machine_names(), *board_names()])
def test_no_limit_that_ships_is_without_what_it_counts(name):
    limits = getattr(load_machine(name), "limits", None)
    for key in Limits.model_fields if limits is not None else ():
        whole = whole_of(Limits, key)
        assert whole is not None and whole.what and whole.units


def test_the_generic_machine_binds_no_more_than_loihi_2():
    generic, loihi2 = load_machine("generic").limits, load_machine("loihi2").limits
    for key in Limits.model_fields:
        if key not in ("threshold_shift", "smallest_weight_exponent", "block_overhead_bits"):
            assert getattr(generic, key).value >= getattr(loihi2, key).value, key


def test_limits_are_shown_with_their_source():
    (row,) = clapp_neuro.targets("loihi1-sim")
    limits = {key: cells for key, *cells in row.limits()}
    assert set(limits) == set(Limits.model_fields)
    assert limits["threshold_configurations"][1] == "8 [8 – 16] entries"
    assert limits["state_bytes_per_core"][1] == "not limited"
    assert limits["tag_bits"][2] == "C, not public"
    assert {c[0] for c in row.capabilities()} >= {"graded_spikes", "axon_lists"}
    with pytest.raises(InputError, match="did you mean"):
        clapp_neuro.targets("loihi1")


def test_null_takes_away_a_limit_that_a_machine_need_not_have(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"extends": "loihi2", "limits": {"longest_delay": null}}')
    assert load_target(str(path)).machine.limits.longest_delay is None
    path.write_text('{"extends": "loihi2", "limits": {"weight_bits": null}}')
    with pytest.raises(InputError, match=r"limits\.weight_bits"):
        load_target(str(path))


def test_delays_that_a_machine_states_have_a_source():
    for name in (*machine_names(), *board_names()):
        machine = load_machine(name)
        if isinstance(machine, NeuromorphicMachine) and machine.backends:
            delay = machine.limits.longest_delay
            assert delay is not None and delay.unit == "steps" and len(delay.source) > 12
