"""Figures of the paper: what they show is what was measured, and their bytes are reproducible."""

import os

import numpy as np
import pytest
import torch
from figure_network import clusters, find, network

from clapp_neuro.errors import InputError
from clapp_neuro.reproduce.figures import COLOURS, look, save
from clapp_neuro.reproduce.figures.alignment import alignment, draw_alignment
from clapp_neuro.reproduce.figures.depth import depth_curves
from clapp_neuro.reproduce.figures.embedding import draw_embedding
from clapp_neuro.reproduce.figures.patches import draw_preferred

# alignment


def test_alignment_of_mirrored_and_of_independent_weights():
    made = network("dense-spiking")
    weights = dict(made.weights)
    assert abs(alignment(weights, 1, 2)) < 0.1  # 40² independent entries: about 1/40
    for step in ("", ".2"):
        weights[f"layer1.retrodiction{step}"] = 3 * weights[f"layer1.prediction{step}"].T
    assert alignment(weights, 1, 2) == pytest.approx(1)
    weights["layer1.retrodiction.2"] = -weights["layer1.retrodiction.2"]
    assert alignment(weights, 1, 1) == pytest.approx(1)
    assert alignment(weights, 1, 2) == pytest.approx(0, abs=1e-12)


def test_alignment_of_a_context_of_another_width():
    prediction = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
    weights = {"layer1.prediction": prediction, "layer1.retrodiction": prediction.T * 1e-30}
    assert alignment(weights, 1, 1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "weight", "message"),
    [
        ("layer1.retrodiction", None, "no weights layer1.retrodiction:"),
        ("layer1.prediction.2", None, r"no weights layer1.prediction.2:"),
        ("layer1.retrodiction", torch.zeros(40, 40), "is all 0"),
        ("layer1.retrodiction", torch.full((40, 40), torch.nan), "NaN"),
        ("layer1.retrodiction", torch.ones(40, 30), "transpose in shape"),
    ],
)
def test_weights_that_have_no_alignment(name, weight, message):
    weights = {**network("dense-spiking").weights, name: weight}
    if weight is None:
        del weights[name]
    with pytest.raises(InputError, match=message):
        alignment(weights, 1, 2)


def test_an_alignment_needs_a_prediction_step():
    with pytest.raises(InputError, match="at least one prediction step, not 0"):
        alignment(network("dense-spiking").weights, 1, 0)


def test_alignment_is_drawn_against_the_steps():
    figure = draw_alignment([0, 10, 100], {"layer 1": [0.0, 0.4, 0.9], "layer 2": [0.1, 0.2, 0.3]})
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert lines["layer 1"].get_xydata().tolist() == [[0, 0], [10, 0.4], [100, 0.9]]
    with pytest.raises(InputError, match="layer 1 has 2 alignments for 3 steps"):
        draw_alignment([0, 1, 2], {"layer 1": [0.0, 1.0]})
    with pytest.raises(InputError, match="NaN"):
        draw_alignment([0, 1], {"layer 1": [0.0, np.nan]})
    with pytest.raises(InputError, match="at least one curve and one step"):
        draw_alignment([], {"layer 1": []})


# depth


def test_depth_shows_mean_and_deviation_over_the_seeds():
    accuracy = {"CLAPP": [[60, 70, 80], [62, 74, 80]], "Random init.": [[60, 50]]}
    figure = depth_curves(accuracy, "STL-10")
    axes = figure.axes[0]
    first, second = axes.containers
    assert first.lines[0].get_xydata().tolist() == [[1, 61], [2, 72], [3, 80]]
    bars = [segment[:, 1].tolist() for segment in first.lines[2][0].get_segments()]
    assert np.allclose(bars, [[61 - 2**0.5, 61 + 2**0.5], [72 - 8**0.5, 72 + 8**0.5], [80, 80]])
    assert second.lines[0].get_xydata().tolist() == [[1, 60], [2, 50]]
    assert not second.has_yerr, "one seed has no deviation"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(accuracy)
    assert axes.get_title() == "STL-10" and axes.get_xticks().tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("accuracy", "message"),
    [
        ({}, "at least one method"),
        ({"CLAPP": []}, "must be"),
        ({"CLAPP": [[60, 70], [60]]}, "CLAPP: every seed"),
        ({"CLAPP": [[60, float("nan")]]}, "percentages"),
        ({"CLAPP": [[60, 101]]}, "percentages"),
    ],
)
def test_accuracies_that_are_no_table(accuracy, message):
    with pytest.raises(InputError, match=message):
        depth_curves(accuracy, "STL-10")


# files


def figures():
    made = network("conv")
    points, labels = clusters(width=2)
    return {
        "depth": depth_curves({"CLAPP": [[60, 70], [62, 74]]}, "STL-10"),
        "patches": draw_preferred(made.images, find(made), made.experiment.data),
        "embedding": draw_embedding({"layer 1": points}, labels, ("a", "b", "c")),
        "alignment": draw_alignment([0, 1], {"layer 1": [0, 1]}),
    }


def test_files_are_reproducible_to_the_byte(tmp_path):
    written = []
    for attempt in range(2):
        for name, figure in figures().items():
            save(figure, tmp_path / f"{name}.png")
        written.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
        assert len(written[attempt]) == 4, "no temporary file stays"
    assert written[0] == written[1]
    for content in written[0].values():
        assert content.startswith(b"\x89PNG")
        assert b"tEXt" not in content and b"tIME" not in content and b"matplotlib" not in content


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<?xml"), ("PDF", b"%PDF")])
def test_the_ending_says_which_kind_of_picture(tmp_path, kind, start):
    written = []
    for _ in range(2):
        save(draw_alignment([0, 1], {"layer 1": [0, 1]}), tmp_path / f"figure.{kind}")
        written.append((tmp_path / f"figure.{kind}").read_bytes())
    assert written[0] == written[1] and written[0].startswith(start)
    for other in ("figure.gif", "figure"):
        with pytest.raises(InputError, match=r"end it in \.png, \.svg, \.pdf"):
            save(draw_alignment([0, 1], {"layer 1": [0, 1]}), tmp_path / other)
        assert not (tmp_path / other).exists()


def test_a_figure_is_whole_or_not_there(tmp_path, monkeypatch):
    figure = draw_alignment([0, 1], {"layer 1": [0, 1]})
    with pytest.raises(InputError, match="no folder"):
        save(figure, tmp_path / "none" / "figure.png")
    (tmp_path / "figure.png").write_bytes(b"before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        save(figure, tmp_path / "figure.png")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_no_two_lines_look_alike():
    looks = [tuple(look(number).values()) for number in range(20)]
    assert len(set(looks)) == 20
    assert len({marker for _, marker in looks[: len(COLOURS)]}) == len(COLOURS)
