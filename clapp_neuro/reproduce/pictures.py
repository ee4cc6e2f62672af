"""The pictures of each target, and the numbers that go beside them.

Each: (plans, methods, place, target) → the files written. `methods` is what the target's JSON will
hold and may be added to.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.config import Experiment, with_settings
from clapp_neuro.data.images import load_images
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.shapes import modules_of
from clapp_neuro.errors import InputError
from clapp_neuro.files import write_whole
from clapp_neuro.readout import layer_features
from clapp_neuro.reproduce.plan import Planned
from clapp_neuro.reproduce.runs import Place
from clapp_neuro.training.run import train

IMAGES_SEARCHED = 2_000
NEURONS, PATCHES = 4, 8
IMAGES_EMBEDDED = 1_000
POINTS_OF_A_CURVE = 20

Methods = dict[str, Any]


def depth(plans: list[Planned], methods: Methods, place: Place, target: str) -> list[Path]:
    """Accuracy by layer."""
    from clapp_neuro.reproduce.figures import save
    from clapp_neuro.reproduce.figures.depth import depth_curves

    figure = depth_curves(
        {name: method["accuracy"] for name, method in methods.items()},
        "Linear readout by layer",
    )
    return [save(figure, place.folder / f"{target}.png")]


def patches(plans: list[Planned], methods: Methods, place: Place, target: str) -> list[Path]:
    """What some neurons of each layer like best, one picture a network."""
    from clapp_neuro.reproduce.figures import save
    from clapp_neuro.reproduce.figures.patches import draw_preferred, preferred_patches

    files = []
    for plan in plans:
        network = load_checkpoint(place.model(plan))
        images = load_images(network.experiment.data, place.data).test_images[:IMAGES_SEARCHED]
        found = preferred_patches(network.weights, network.experiment, images, NEURONS, PATCHES)
        methods[plan.row]["silent_neurons"] = [layer.silent for layer in found]
        figure = draw_preferred(images, found, network.experiment.data)
        files.append(save(figure, place.folder / f"{target}-{plan.row}.png"))
    return files


def tsne(plans: list[Planned], methods: Methods, place: Place, target: str) -> list[Path]:
    """Features of each layer in two dimensions, and how well neighbours agree about the class."""
    from clapp_neuro.reproduce.figures import save
    from clapp_neuro.reproduce.figures.embedding import draw_embedding, embed, separation

    files = []
    for plan in plans:
        network = load_checkpoint(place.model(plan))
        images = load_images(network.experiment.data, place.data)
        chosen = images.test_images[:IMAGES_EMBEDDED]
        labels = images.test_labels[:IMAGES_EMBEDDED]
        features = layer_features(network.weights, network.experiment, chosen)
        points = {
            f"layer {layer}": embed(answers, plan.experiment.train.seed)
            for layer, answers in enumerate(features, 1)
        }
        methods[plan.row]["neighbours_agree"] = {
            name: separation(where, labels) for name, where in points.items()
        }
        figure = draw_embedding(points, labels, images.classes)
        files.append(save(figure, place.folder / f"{target}-{plan.row}.png"))
    return files


def alignment(plans: list[Planned], methods: Methods, place: Place, target: str) -> list[Path]:
    """Cosine of W_pred and W_retroᵀ while the network is trained once more, in stretches."""
    from clapp_neuro.reproduce.figures import save
    from clapp_neuro.reproduce.figures.alignment import draw_alignment

    (plan,) = plans
    steps, curves = _alignment_curves(plan, place)
    methods[plan.row]["alignment"] = {"steps": steps, "cosine": curves}
    return [save(draw_alignment(steps, curves), place.folder / f"{target}.png")]


def _alignment_curves(plan: Planned, place: Place) -> tuple[list[int], dict[str, list[float]]]:
    """The curves so far are kept beside the network, so that an interrupted run goes on."""
    model = place.model(plan).with_suffix(".alignment.pt")
    notes = model.with_suffix(".json")
    total = plan.experiment.train.total_steps
    start = _cosines(initial_weights(plan.experiment), plan.experiment)
    kept: dict[str, Any] = {"steps": [0], "cosine": start}
    if model.exists() and notes.exists():
        found = json.loads(notes.read_text("utf-8"))
        if load_checkpoint(model).step == found["steps"][-1]:
            kept = found
    for point in range(1, POINTS_OF_A_CURVE + 1):
        step = total * point // POINTS_OF_A_CURVE
        if step <= kept["steps"][-1]:
            continue
        part = with_settings(plan.experiment, train={"steps": step})
        begun = model if kept["steps"][-1] else None
        trained = train(part, model, resume=begun, data=place.data)
        if trained.interrupted:
            raise InputError(f"interrupted at step {trained.step} of {plan.name}")
        kept["steps"].append(step)
        now = _cosines(load_checkpoint(model).weights, plan.experiment)
        for layer, values in now.items():
            kept["cosine"][layer] += values
        write_whole(notes, lambda file: file.write(json.dumps(kept).encode()))
    return kept["steps"], kept["cosine"]


def _cosines(weights: dict[str, Any], experiment: Experiment) -> dict[str, list[float]]:
    from clapp_neuro.reproduce.figures.alignment import alignment as cosine

    count = experiment.train.predictions
    tops = [part[-1] for part in modules_of(experiment)]
    return {f"layer {layer}": [cosine(weights, layer, count)] for layer in tops}
