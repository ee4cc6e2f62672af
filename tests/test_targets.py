"""Machines as data: every figure has a band and a source, names and files fail clearly."""

from __future__ import annotations

import json
from importlib import resources

import pytest
from pydantic import BaseModel

from clapp_neuro.errors import InputError
from compiler.targets import (
    Figure,
    NeuromorphicMachine,
    load_machine,
    load_target,
    machine_names,
    target_names,
)


def figures(part: BaseModel) -> list[Figure]:
    found = []
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, Figure):
            found.append(value)
        elif isinstance(value, BaseModel):
            found += figures(value)
    return found


def test_the_targets_that_users_rely_on_exist():
    assert {"loihi2-sim", "loihi2-lava", "loihi1-sim"} <= set(target_names())
    assert {"loihi1", "loihi2", "spinnaker2", "embedded-cpu", "gpu", "cpu"} <= set(machine_names())


def test_a_target_is_a_machine_and_a_backend():
    target = load_target("loihi2-lava")
    assert (target.name, target.machine.name, target.backend) == ("loihi2-lava", "loihi2", "lava")


@pytest.mark.parametrize("name", machine_names())
def test_every_figure_has_its_band_unit_grade_and_a_source_in_words(name):
    found = figures(load_machine(name))
    assert found
    for figure in found:
        assert figure.low <= figure.value <= figure.high
        assert figure.unit and figure.grade in "ABC"
        assert len(figure.source) > 12, "the key of a source instead of its text"


def test_loihi_2_energy_is_an_assumption_with_a_wide_band():
    energy = load_target("loihi2-sim").machine.energy
    for figure in figures(energy):
        assert figure.grade == "C"
        assert figure.low <= figure.value / 5


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
        (b'{"kind": "toaster"}', "toaster"),
        (b'{"sources": 3}', "kind"),
    ],
)
def test_broken_machine_files_are_refused_in_a_sentence(tmp_path, content, message):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_target(str(path))
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_missing_machine_file_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        load_target(str(tmp_path / "none.json"))


def test_a_band_that_does_not_hold_its_value_is_refused():
    with pytest.raises(ValueError, match="low <= value <= high"):
        Figure(value=3, low=4, high=5, unit="J", grade="A", source="nobody")
