"""The checkpoint: the one file format in which training and compiler meet.

A PyTorch file of four entries: "format" and "version", "metadata" (a JSON text), "weights" and
"resume" (tensors by name). It holds no Python objects and is read with `weights_only=True`, so
nothing in a user's file is ever executed.
"""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clapp_neuro.config import Experiment, read_experiment
from clapp_neuro.encoders.shapes import weight_shapes
from clapp_neuro.errors import InputError
from clapp_neuro.files import write_whole

FORMAT = "clapp-neuro checkpoint"
VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A network after so many steps of an experiment.

    weights: `layer1.forward` (N_out, N_in), `layer1.prediction` (N_z, N_c),
    `layer1.retrodiction` (N_c, N_z), and so on for each layer, float32.
    calibration: statistics of the float network on real fixations (see `calibration.measure`).
    data: name, source and number of the images. versions: of the software that wrote it.
    resume: tensors from which training goes on to the bit.
    """

    experiment: Experiment
    step: int
    weights: dict[str, Tensor]
    calibration: dict[str, float] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    resume: dict[str, Tensor] = field(default_factory=dict)


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, whole or not at all.

    Raises InputError where it would not be readable again (shapes, types, NaN) or the system
    refuses to write.
    """
    _check_weights(checkpoint.weights, checkpoint.experiment, f"checkpoint for '{path}'")
    metadata = {
        "experiment": checkpoint.experiment.model_dump(mode="json"),
        "step": checkpoint.step,
        "calibration": checkpoint.calibration,
        "data": checkpoint.data,
        "versions": checkpoint.versions,
    }
    content = {
        "format": FORMAT,
        "version": VERSION,
        "metadata": json.dumps(metadata, allow_nan=False),
        "weights": _detached(checkpoint.weights),
        "resume": _detached(checkpoint.resume),
    }
    # first into memory: PyTorch's writer turns a full disk into an error of its own
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return write_whole(path, lambda file: file.write(buffer.getbuffer()))


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises InputError, one sentence each, for anything that is not a whole, consistent checkpoint
    of this or an earlier version.
    """
    where = f"'{path}'"
    content = _read(Path(path), where)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(
            f"{where} is a PyTorch file but not a clapp-neuro checkpoint: "
            "give a file written by 'clapp-neuro train'"
        )
    version = content.get("version")
    if type(version) is not int or version < 1:  # True is an int, but no version
        raise InputError(f"{where} has the impossible checkpoint version {version!r}")
    if version > VERSION:
        raise InputError(
            f"{where} is checkpoint version {version} but this clapp-neuro reads up to {VERSION}: "
            "upgrade clapp-neuro"
        )
    metadata = _metadata(content.get("metadata"), where)
    experiment = read_experiment(metadata["experiment"], f"{where}, experiment")
    weights = _tensors(content.get("weights"), "weights", where)
    _check_weights(weights, experiment, where)
    return Checkpoint(
        experiment=experiment,
        step=metadata["step"],
        weights=weights,
        calibration=_calibration(metadata["calibration"], where),
        data=metadata["data"],
        versions=metadata["versions"],
        resume=_tensors(content.get("resume"), "resume", where),
    )


def _read(path: Path, where: str) -> Any:
    """The content of a PyTorch file, or the reason why it is none."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise InputError(f"cannot read {where}: {error.strerror or error}") from error
    if not head:
        raise InputError(f"{where} is empty: give a file written by 'clapp-neuro train'")
    if not zipfile.is_zipfile(path):
        raise InputError(f"{where} {_looks_like(head)}: give a file written by 'clapp-neuro train'")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise InputError(f"{where} is damaged at '{damaged}': copy or train it again")
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{where} holds Python objects other than tensors, which could run code, "
            "so it was not opened: give a file written by 'clapp-neuro train'"
        ) from error
    except InputError:
        raise
    except Exception as error:  # whatever a damaged or hostile file makes the reader raise
        raise InputError(
            f"{where} cannot be read as a PyTorch file: give a file written by 'clapp-neuro train'"
        ) from error


def _looks_like(head: bytes) -> str:
    if head.startswith(b"PK\x03\x04"):
        return "is cut off before its end"
    if head.startswith(b"\x80"):
        return "is a bare pickle, which could run code, and was not opened"
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # a character may be cut at the end of the part that was read
        if error.start < len(head) - 4:
            return "is not a checkpoint but unknown binary data"
    return "is not a checkpoint but text" if b"\0" not in head else "is not a checkpoint"


def _metadata(text: Any, where: str) -> dict[str, Any]:
    try:
        metadata = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{where}: its metadata are not JSON, the file was altered") from error
    kinds = {"experiment": dict, "step": int, "calibration": dict, "data": dict, "versions": dict}
    for key, kind in kinds.items():
        if type(metadata) is not dict or type(metadata.get(key)) is not kind:
            raise InputError(f"{where}: its metadata have no valid '{key}', the file was altered")
    if metadata["step"] < 0:
        raise InputError(f"{where}: step {metadata['step']} is negative")
    return metadata


def _calibration(values: dict[str, Any], where: str) -> dict[str, float]:
    for name, value in values.items():
        if type(value) not in (int, float) or not math.isfinite(value):
            raise InputError(f"{where}: calibration '{name}' is {value!r}, not a finite number")
    return {name: float(value) for name, value in values.items()}


def _tensors(values: Any, entry: str, where: str) -> dict[str, Tensor]:
    if not isinstance(values, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in values.items()
    ):
        raise InputError(f"{where}: '{entry}' is not a table of tensors, the file was altered")
    return values


def _check_weights(weights: dict[str, Tensor], experiment: Experiment, where: str) -> None:
    shapes = weight_shapes(experiment)
    missing, extra = sorted(shapes.keys() - weights), sorted(weights.keys() - shapes)
    if missing or extra:
        names = f"lacks {missing[0]}" if missing else f"has the unexpected {extra[0]}"
        raise InputError(f"{where} {names} for its {len(experiment.encoder.layers)} layer(s)")
    for name, shape in shapes.items():
        tensor = weights[name]
        if tensor.layout != torch.strided or tensor.is_meta:
            raise InputError(f"{where}: {name} is not a plain dense tensor")
        if tensor.dtype != torch.float32:
            raise InputError(f"{where}: {name} is {tensor.dtype}, it must be torch.float32")
        if tuple(tensor.shape) != shape:
            raise InputError(f"{where}: {name} is {tuple(tensor.shape)}, its settings say {shape}")
        finite = torch.isfinite(tensor)
        if not bool(finite.all()):
            index = tuple((~finite).nonzero()[0].tolist())
            raise InputError(
                f"{where}: {name}{list(index)} is {tensor[index].item()}, weights must be finite: "
                "train again, perhaps with a lower learning rate"
            )


def _detached(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU, in row-major order, that own no more memory than they show."""
    row_major = torch.contiguous_format
    return {
        name: tensor.detach().cpu().clone(memory_format=row_major)
        for name, tensor in tensors.items()
    }
