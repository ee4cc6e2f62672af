"""Joules: every line has its band, nothing unpublished becomes a number, sums are right."""

from __future__ import annotations

import json

import numpy as np
import pytest
from compiled_program import compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_neuro.errors import InputError
from compiler.backends.simulator import infer, simulate
from compiler.energy import (
    Band,
    Coefficients,
    NotPublished,
    compare,
    estimate,
)
from compiler.energy.band import total
from compiler.energy.conventional import dense_operations
from compiler.energy.draws import draw
from compiler.energy.ledger import KINDS, MANAGEMENT
from compiler.passes.placing.place import place
from compiler.targets import load_machine, load_target
from compiler.targets.figures import Figure
from compiler.trace import Stimulus

TARGET = load_target("loihi2-sim")
WIDTHS = (20, 16, 12)


@pytest.fixture(scope="module")
def program():
    return compiled(WIDTHS)


def stimulus(fixations=90):
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (fixations, WIDTHS[0])).astype(np.uint8)
    labels = random.choice([-1, 1], fixations).astype(np.int8)
    return Stimulus({"input": images}, {"saccade": labels})


@pytest.fixture(scope="module")
def events(program):
    return simulate(program, stimulus()).events


@pytest.fixture(scope="module")
def loihi2(program, events):
    return estimate(events, place(program, TARGET), TARGET.machine, fixations_per_image=9)


def bands(data):
    """Every object with a value in some JSON."""
    if isinstance(data, dict):
        if "value" in data:
            yield data
        for part in data.values():
            yield from bands(part)


def test_four_lines_with_band_grade_and_source(loihi2):
    for lines in (loihi2.inference, loihi2.learning):
        for line in (lines.dynamic, lines.static, lines.management, lines.total):
            assert isinstance(line, Band)
            assert 0 < line.low < line.value < line.high
            assert line.grade == "C" and line.unit == "J" and line.source
        parts = lines.dynamic.value + lines.static.value + lines.management.value
        assert lines.total.value == pytest.approx(parts)


def test_no_number_without_its_band(program, events):
    data = json.loads(json.dumps(compare(events, program).to_json()))
    found = list(bands(data))
    assert len(found) > 50
    for item in found:
        if item["value"] is None:
            assert item["reason"]
        else:
            assert item["low"] <= item["value"] <= item["high"]


def test_the_dynamic_line_is_the_sum_of_counts_times_coefficients(events, loihi2):
    each = Coefficients(TARGET.machine)
    inference = {item.kind: item for item in loihi2.inference_events}
    dense = inference["synaptic_operation_dense"]
    assert dense.count == events.inference.synaptic_operations
    expected = dense.count * each.energy("synaptic_operation_dense").value
    assert dense.energy.value == pytest.approx(expected)
    cores = [item for kind, item in inference.items() if kind not in MANAGEMENT]
    assert loihi2.inference.dynamic.value == pytest.approx(sum(i.energy.value for i in cores))
    learning = {item.kind: item for item in loihi2.learning_events}
    assert learning["plastic_update"].count == events.learning.plastic_updates
    assert learning["carry"].count == events.learning.carries
    expected = events.learning.carries * each.energy("plastic_update").value
    assert learning["carry"].energy.value == pytest.approx(expected)


def test_every_kind_of_event_is_a_line_of_its_own(loihi2):
    shown = {title for _, title, *_ in loihi2.event_rows()}
    for kind in (
        "synaptic_operation_dense",
        "modulator_operation",
        "comparator_sum",
        "neuron_update_idle",
        "neuron_update_active",
        "spike",
        "axon_in",
        "axon_out",
        "barrier",
        "trace_write",
        "learning_epoch",
        "plastic_update",
        "management_step",
        "host_message",
    ):
        assert KINDS[kind].title in shown


def test_per_image_is_nine_fixations(loihi2):
    data = loihi2.to_json()["inference"]
    image, fixation = (data[k]["total"]["value"] for k in ("per_image", "per_fixation"))
    assert image == pytest.approx(9 * fixation)


def test_learning_over_inference_is_held_against_the_published_range(loihi2):
    ratio = loihi2.ratio
    assert 1 < ratio.low <= ratio.value <= ratio.high
    both = loihi2.inference.dynamic.value + loihi2.learning.dynamic.value
    assert ratio.value == pytest.approx(both / loihi2.inference.dynamic.value)
    assert loihi2.to_json()["learning_to_inference"]["expected"]["high"] == 300
    inside = 1 <= ratio.value <= 300
    assert ("OUTSIDE" in loihi2.ratio_sentence) != inside


def test_a_run_that_did_not_learn_has_no_learning_lines(program):
    _, events = infer(program, stimulus())
    result = estimate(events, place(program, TARGET), TARGET.machine)
    assert result.learning is None and result.ratio is None


def test_an_empty_run_has_no_energy(program):
    events = simulate(program, stimulus(0)).events
    with pytest.raises(ValueError, match="without fixations"):
        estimate(events, place(program, TARGET), TARGET.machine)
    with pytest.raises(ValueError, match="without fixations"):
        compare(events, program)


def test_the_comparison_holds_all_machines_and_says_what_is_not_published(program, events):
    comparison = compare(events, program, fixations_per_image=9)
    by_name = {e.name: e for e in comparison.estimates}
    processors = ("cpu", "gpu", "embedded-cpu", "embedded-gpu")
    variants = {f"{name}-{variant}" for name in processors for variant in ("dense", "events")}
    chips = {"loihi1", "loihi2", "spinnaker1", "spinnaker2", "truenorth"}
    assert set(by_name) == chips | variants
    assert isinstance(by_name["spinnaker2"].inference.dynamic, Band)
    unknown = by_name["spinnaker2"].learning.management
    assert isinstance(unknown, NotPublished) and "host message" in unknown.parts
    assert isinstance(by_name["gpu-dense"].inference.static, NotPublished)
    assert by_name["truenorth"].learning is None
    assert "not published" in {cell for row in comparison.rows() for cell in row}
    assert all(cell != "0" for row in comparison.rows() for cell in row)


def test_truenorth_is_given_the_forward_pass_alone(program, events):
    (inference,) = compare(events, program, ("truenorth",)).estimates
    kinds = {item.kind: item for item in inference.inference_events}
    operations = kinds["synaptic_operation_dense"]
    assert operations.count == events.inference.synaptic_operations
    assert inference.inference.total.value == pytest.approx(operations.count * 26e-12)
    assert "Inference only" in inference.assumptions[0]


def test_a_machine_that_cannot_take_the_network_is_listed_with_the_reason():
    program = compiled((4_100, 2), plastic=False)
    counts = stimulus(3)
    images = np.repeat(counts.intensities["input"], 205, axis=1)
    events = infer(program, Stimulus({"input": images}, {}))[1]
    comparison = compare(events, program, ("loihi1", "gpu"))
    assert "axons in" in comparison.refused["Intel Loihi"]
    assert {e.machine for e in comparison.estimates} == {"gpu"}
    assert ("Intel Loihi", "–", "cannot take it", "", "", "", "") in comparison.rows()
    assert any(
        note.startswith("Intel Loihi: ") and "axons in" in note for note in comparison.notes()
    )


def test_two_machines_of_one_name_are_not_told_apart(program, events, tmp_path):
    """Rows would stand for either, and one would take the other's place in JSON."""
    own = load_machine("loihi2")
    twice = compare(events, program, ("loihi1", "loihi2", "loihi1"), own=own)
    assert [e.name for e in twice.estimates] == ["loihi1", "loihi2"]
    other = {"extends": "loihi2", "limits": {"chips": 2}}
    for double in ({"name": "loihi2", "title": "Mine"}, {"title": "Intel Loihi 2"}):
        (tmp_path / "mine.json").write_text(json.dumps({**other, **double}))
        word = "name" if "name" in double else "title"
        with pytest.raises(InputError, match=f"differ have the {word} '"):
            compare(events, program, (str(tmp_path / "mine.json"),), own=own)


def test_dense_machines_pay_for_every_synapse(program, events):
    (inference, learning), (updates, _) = dense_operations(events, program)
    assert inference == events.fixations * (20 * 16 + events.steps * 16 * 12)
    assert updates == events.fixations * events.steps * 28
    predictions = events.fixations * 2 * (16 * 16 + 12 * 12)
    outer = sum(p.learning_slots * p.fan_in * p.fan_out for p in events.projections)
    assert learning == predictions + events.fixations * 28 + outer


def test_what_two_machines_share_cancels_in_their_ratio(program, events):
    own = load_machine("loihi2")
    comparison = compare(events, program, ("loihi1", "loihi2"), own=own)
    first, second = comparison.estimates
    ratio = comparison.multiple("loihi1", learning=False)
    apart = first.inference.dynamic.high / second.inference.dynamic.low
    assert ratio.value == pytest.approx(1)
    assert ratio.high < apart  # the widest that two unrelated bands would give
    same = comparison.multiple("loihi2", learning=True)
    assert (same.low, same.value, same.high) == (1, 1, 1)


def test_loihi_2_is_loihi_1_times_a_factor_and_says_so(program, events):
    (estimated,) = compare(events, program, ("loihi2",)).estimates
    assert "Loihi 1's times a named factor" in estimated.assumptions[0]
    assert estimated.inference.dynamic.grade == "C"
    one, two = (Coefficients(load_machine(n)).energy("axon_out") for n in ("loihi1", "loihi2"))
    factor = two.over(one)
    assert factor.value == 1 and factor.low == pytest.approx(0.1, rel=0.1)
    assert factor.high == pytest.approx(1)


def band(value, low, high, unit="J", grade="C", source="x", key="test"):
    figure = Figure(value=value, low=low, high=high, unit=unit, grade=grade, source=source)
    return Band.of(figure, key)


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (band(1.2e-6, 0.6e-6, 5.1e-6), "1.2 µJ [0.6 – 5.1] C"),
        (band(45e-9, 9e-9, 90e-9), "45 nJ [9 – 90] C"),
        (band(0, 0, 3e-3), "0 mJ [0 – 3] C"),
        (band(1500, 1000, 2000, "s"), "1.5 ks [1 – 2] C"),
    ],
)
def test_bands_print_with_adaptive_units(figure, text):
    assert str(figure) == text


@settings(max_examples=40, deadline=None)
@given(
    value=st.floats(1e-12, 1e3),
    below=st.floats(1, 100),
    above=st.floats(1, 100),
    seed=st.integers(0, 1000),
)
def test_the_band_of_one_figure_is_the_figures_own(value, below, above, seed):
    drawn = draw(value, value / below, value * above, "figure", seed)
    low, middle, high = np.quantile(drawn, (0.05, 0.5, 0.95))
    assert low == pytest.approx(value / below, rel=1e-2)
    assert middle == pytest.approx(value, rel=1e-2)
    assert high == pytest.approx(value * above, rel=1e-2)
    assert np.array_equal(drawn, draw(value, value / below, value * above, "figure", seed))


def test_a_bound_of_zero_is_cut_there():
    drawn = draw(1.0, 0.0, 2.0, "figure")
    assert drawn.min() == 0 and np.quantile(drawn, 0.95) == pytest.approx(2, rel=1e-2)
    assert (draw(0.0, 0.0, 0.0, "nothing") == 0).all()


def test_a_sum_of_independent_figures_is_narrower_than_the_sum_of_their_bounds():
    one, two = band(1, 0.5, 2, key="one"), band(1, 0.5, 2, key="two")
    both = one + two
    assert 1 < both.low < both.value == 2 < both.high < 4
    again = one + one
    assert (again.low, again.high) == (pytest.approx(2 * one.low), pytest.approx(2 * one.high))
    assert (both.over(both).low, both.over(both).high) == (1, 1)


def test_a_sum_with_something_unpublished_is_not_published():
    line = total([band(1, 1, 1), NotPublished("not published", ("idle power",))])
    assert isinstance(line, NotPublished) and line.parts == ("idle power",)


def test_the_grade_of_a_sum_is_its_worst_parts():
    both = band(1, 1, 1, grade="A") + band(1, 0.5, 2, source="y")
    assert (both.grade, both.source, both.value) == ("C", "x; y", 2)
