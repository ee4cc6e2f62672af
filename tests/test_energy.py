"""Joules: every line has its band, nothing unpublished becomes a number, sums are right."""

from __future__ import annotations

import json

import numpy as np
import pytest
from compiled_program import compiled

from compiler.backends.simulator import infer, simulate
from compiler.energy import (
    Band,
    Measured,
    NotMeasured,
    NotPublished,
    against_published,
    compare,
    estimate,
    measure_cpu,
)
from compiler.energy.band import total
from compiler.energy.compare import dense_operations
from compiler.passes.place import place
from compiler.targets import load_machine, load_target
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


def test_the_dynamic_line_is_the_sum_of_counts_times_coefficients(program, events, loihi2):
    energy, totals = TARGET.machine.energy, events.inference
    expected = totals.synaptic_operations * energy.synaptic_operation.value
    assert loihi2.inference_events["synaptic_operation"].value == pytest.approx(expected)
    parts = sum(part.value for part in loihi2.inference_events.values())
    assert loihi2.inference.dynamic.value == pytest.approx(parts)
    changed = events.learning.plastic_updates + events.learning.carries
    expected = changed * energy.plastic_update.value
    assert loihi2.learning_events["plastic_update"].value == pytest.approx(expected)


def test_per_image_is_nine_fixations(loihi2):
    data = loihi2.to_json()["inference"]
    image, fixation = (data[k]["total"]["value"] for k in ("per_image", "per_fixation"))
    assert image == pytest.approx(9 * fixation)


def test_learning_over_inference_is_held_against_the_published_range(loihi2):
    ratio = loihi2.ratio
    assert ratio.low <= ratio.value <= ratio.high
    assert ratio.expected == (1, 300) and "Renner" in ratio.source
    assert ("OUTSIDE" in str(ratio)) != ratio.as_published


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
    by_name = {e.machine: e for e in comparison.estimates}
    assert {"loihi1", "loihi2", "spinnaker2", "embedded-cpu", "gpu", "cpu"} == set(by_name)
    assert isinstance(by_name["spinnaker2"].inference.dynamic, Band)
    unknown = by_name["spinnaker2"].learning.dynamic
    assert isinstance(unknown, NotPublished) and "plastic update" in unknown.parts
    assert isinstance(by_name["gpu"].inference.static, NotPublished)
    assert "not published" in {cell for row in comparison.rows() for cell in row}
    assert all(row != "0" for row in comparison.rows())


def test_a_machine_that_cannot_take_the_network_is_listed_with_the_reason():
    program = compiled((4_100, 2), plastic=False)
    counts = stimulus(3)
    images = np.repeat(counts.intensities["input"], 205, axis=1)
    events = infer(program, Stimulus({"input": images}, {}))[1]
    comparison = compare(events, program, ("loihi1", "gpu"))
    assert "axons in" in comparison.refused["Intel Loihi"]
    assert [e.machine for e in comparison.estimates] == ["gpu"]


def test_dense_machines_pay_for_every_synapse(program, events):
    (inference, learning), (updates, _) = dense_operations(events, program)
    assert inference == events.fixations * (20 * 16 + events.steps * 16 * 12)
    assert updates == events.fixations * events.steps * 28
    predictions = events.fixations * 2 * (16 * 16 + 12 * 12)
    outer = sum(p.learning_slots * p.fan_in * p.fan_out for p in events.projections)
    assert learning == predictions + events.fixations * 28 + outer


def test_published_measurements_can_be_explained():
    checks = against_published()
    assert len(checks) == 3
    for check in checks:
        assert check.plausible, str(check)
    copies = next(c for c in checks if "copy" in c.what)
    assert copies.measured == pytest.approx(16.92e-6)
    assert 0.02 < copies.activity < 0.2  # a few spikes in a hundred chances: what such networks do


def test_loihi_2_bands_contain_loihi_1(program, events):
    first, second = (
        estimate(events, place(program, m), m) for m in map(load_machine, ("loihi1", "loihi2"))
    )
    for phase in ("inference", "learning"):
        one, two = getattr(first, phase), getattr(second, phase)
        assert two.dynamic.low <= one.dynamic.low and two.dynamic.high >= one.dynamic.high


@pytest.mark.parametrize(
    ("band", "text"),
    [
        (Band(1.2e-6, 0.6e-6, 5.1e-6, "J", "C", "x"), "1.2 µJ [0.6 – 5.1]"),
        (Band(45e-9, 0, 1e-6, "J", "C", "x"), "45 nJ [0 – 1,000]"),
        (Band(0, 0, 3e-3, "J", "C", "x"), "0 mJ [0 – 3]"),
        (Band(1500, 1000, 2000, "s", "C", "x"), "1.5 ks [1 – 2]"),
    ],
)
def test_bands_print_with_adaptive_units(band, text):
    assert str(band) == text


def test_a_sum_with_something_unpublished_is_not_published():
    line = total([Band(1, 1, 1, "J", "A", "x"), NotPublished("not published", ("idle power",))])
    assert isinstance(line, NotPublished) and line.parts == ("idle power",)


def test_the_grade_of_a_sum_is_its_worst_parts():
    both = Band(1, 1, 1, "J", "A", "x") + Band(1, 0, 2, "J", "C", "y")
    assert (both.grade, both.source, both.low, both.high) == ("C", "x; y", 1, 3)


def rapl(root, values):
    for name, energy in values.items():
        folder = root / name
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"package-{name[-1]}\n")
        (folder / "energy_uj").write_text(str(energy))
        (folder / "max_energy_range_uj").write_text("999999")


def test_the_cpu_is_measured_by_its_counters_and_wrap_around_is_seen(tmp_path):
    rapl(tmp_path, {"intel-rapl:0": 999_000, "intel-rapl:0:0": 0, "intel-rapl:1": 500})
    steps = iter([500_000, 1_000_000 - 1, 300])
    used = []

    def work():
        counter = tmp_path / "intel-rapl:0" / "energy_uj"
        before = int(counter.read_text())
        after = (before + next(steps)) % 1_000_000
        used.append((after - before) % 1_000_000)
        counter.write_text(str(after))

    result = measure_cpu(work, root=tmp_path)
    assert isinstance(result, Measured)
    assert result.packages == ("package-0", "package-1")
    assert result.energy.value == pytest.approx(sorted(used)[1] * 1e-6)
    assert (result.energy.low, result.energy.grade) == (pytest.approx(300e-6), "A")
    assert "measured" in str(result)


def test_without_counters_the_reason_is_given_and_no_number(tmp_path):
    result = measure_cpu(lambda: 1, root=tmp_path / "none")
    assert isinstance(result, NotMeasured) and "no RAPL counters" in str(result)
    rapl(tmp_path, {"intel-rapl:0": "secret"})
    assert isinstance(measure_cpu(lambda: 1, root=tmp_path), NotMeasured)
