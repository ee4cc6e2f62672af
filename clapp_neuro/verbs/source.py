"""Whatever model a user brings, as a network for the compiler: by what the file holds."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from clapp_neuro.calibration import calibrate
from clapp_neuro.checkpoint import Checkpoint, load_checkpoint
from clapp_neuro.config.data import CLASSES
from clapp_neuro.data.images import load_images
from clapp_neuro.errors import InputError
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.frontends.checkpoint.readout import with_readout
from compiler.frontends.lower import lower
from compiler.frontends.nir.file import SIGNATURE
from compiler.frontends.nir.graph import from_nir
from compiler.frontends.onnx.graph import from_onnx
from compiler.frontends.rate_coding import PERCENTILE, STEPS, is_rate_coded, rate_coded
from compiler.ir import Network
from compiler.source import Graph

INPUTS = "spikes"


@dataclass(frozen=True)
class Reading:
    """How a model is read; None is the default of each. All but the last are of foreign ones.

    dt: seconds of a time step (NIR). steps: time steps a sample. inputs: what a sample is,
    "spikes", "intensities" or "graded" (an ANN's: intensities). calibration: a .npy file of images
    (B, *shape) from 0 to 1, on which the thresholds of an ANN are balanced; of a spiking network
    samples, on which what it loses is measured (`compile`). activities: the percentile, 100 for
    the largest, of calibrated activities for which thresholds of an ANN, or the scales of what a
    checkpoint's rule reads, are chosen.
    """

    dt: float | None = None
    steps: int | None = None
    inputs: str | None = None
    calibration: str | os.PathLike[str] | None = None
    activities: float | None = None

    def __post_init__(self) -> None:
        if self.activities is not None and not 50 <= self.activities <= 100:
            raise InputError(
                f"percentile {self.activities:g} of activities: give 50 to 100, which is the "
                "largest one"
            )


@dataclass(frozen=True)
class Source:
    """A model as read: its network, its kind in words, and the graph where it is a foreign one."""

    network: Network
    kind: str
    graph: Graph | None = None


def require_no_folder(path: str | os.PathLike[str]) -> None:
    """Raises InputError where `path` is a folder."""
    if Path(path).is_dir():
        raise InputError(f"'{path}' is a folder: give a checkpoint, or a NIR or ONNX file")


def read_source(
    path: str | os.PathLike[str],
    reading: Reading | None = None,
    *,
    static: bool = False,
    data: str | os.PathLike[str] | None = None,
    readout: float | None = None,
    by_position: bool = False,
) -> Source:
    """A checkpoint of ours, a NIR or an ONNX file, as a network.

    static: leave learning out. data: of a checkpoint's images, as in `load_images`, which are
    looked at where `reading` asks for another percentile than the checkpoint has. readout: the
    learning rate of a readout on the chip, for a checkpoint only; by_position: of one for each
    position of the gaze.
    Raises InputError for anything else, and for what is not taken.
    """
    if readout is not None and not (math.isfinite(readout) and readout > 0):
        raise InputError(f"a readout with learning rate {readout:g}: give a number above 0")
    require_no_folder(path)
    how = reading or Reading()
    nir = _begins(Path(path), SIGNATURE)
    if readout is not None and (nir or Path(path).suffix == ".onnx"):
        raise InputError(
            f"'{path}' is of another tool and has no labelled images to be rewarded on: leave "
            "--readout out"
        )
    if nir:
        _require_no_percentile(path, how)
        graph = from_nir(path, how.dt)
        return Source(lower(graph, how.steps, how.inputs or INPUTS), "NIR", graph)
    if Path(path).suffix == ".onnx":
        graph = from_onnx(path)
        if is_rate_coded(graph):
            graph = _spiking(graph, how)
            return Source(lower(graph, None, how.inputs or "intensities"), "ONNX", graph)
        _require_no_percentile(path, how)
        return Source(lower(graph, how.steps, how.inputs or INPUTS), "ONNX", graph)
    foreign = [f.name for f in fields(how) if f.name != "activities"]
    given = [name for name in foreign if getattr(how, name) is not None]
    if given:
        raise InputError(
            f"'{path}' is neither a NIR nor an ONNX file, and --{given[0]} says how one is read: "
            "check the file, or leave the option out"
        )
    checkpoint = load_checkpoint(path)
    if how.activities is not None:
        checkpoint = _calibrated(checkpoint, how.activities, data)
    network = network_from_checkpoint(checkpoint, plastic=not static)
    if readout is not None:
        config = checkpoint.experiment.data
        positions = config.positions if by_position else 0
        network = with_readout(network, CLASSES[config.dataset], readout, positions)
    return Source(network, "checkpoint")


def _calibrated(
    checkpoint: Checkpoint, percentile: float, data: str | os.PathLike[str] | None
) -> Checkpoint:
    """The checkpoint with its statistics taken again, of another percentile."""
    experiment = checkpoint.experiment
    images = load_images(experiment.data, data)
    share = round(percentile / 100, 12)
    return replace(checkpoint, calibration=calibrate(checkpoint.weights, experiment, images, share))


def _require_no_percentile(path: str | os.PathLike[str], how: Reading) -> None:
    if how.activities is not None:
        raise InputError(
            f"'{path}' is a spiking network, whose thresholds are its own: leave the percentile of "
            "activities out"
        )


def _spiking(graph: Graph, how: Reading) -> Graph:
    if how.calibration is None:
        raise InputError(
            f"{graph.name} is an ANN: give --calibration IMAGES.npy, some tens of images from 0 to "
            "1, on which the thresholds of its spikes are balanced"
        )
    images = load_array(how.calibration)
    percentile = PERCENTILE if how.activities is None else how.activities
    return rate_coded(graph, images, percentile=percentile, steps=how.steps or STEPS)


def load_array(path: str | os.PathLike[str]) -> np.ndarray:
    """The numbers of a .npy file, never a pickle; InputError for anything else."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is no .npy file of numbers"
        raise InputError(f"cannot read '{path}': {reason}; write it with numpy.save") from error
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiub":
        raise InputError(f"'{path}' holds no array of numbers: write one with numpy.save")
    return found


def _begins(path: Path, signature: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(signature)) == signature
    except OSError:
        return False  # whoever reads it says so
