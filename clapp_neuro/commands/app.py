"""The application that commands register with, and the options that several of them share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clapp_neuro.errors import InputError
from clapp_neuro.files import picture_kind, require_place

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Train CLAPP in spikes, compile it for a neuromorphic chip, learn there, verify, cost.",
)


def place(path: Path | None) -> Path | None:
    """Complain about a place that cannot be written before the work, not after."""
    if path is not None:
        require_place(path)
    return path


def picture(path: Path | None) -> Path | None:
    """`place` for a figure, whose kind is told by the name's ending."""
    if path is not None:
        picture_kind(path)
    return place(path)


def apart(written: Mapping[str, Path | None], read: Mapping[str, Path | None]) -> None:
    """InputError where a file to write, by its argument, is another one, or one that is read."""
    seen = {path.resolve(): name for name, path in read.items() if path is not None}
    for name, path in written.items():
        if path is None:
            continue
        other = seen.setdefault(path.resolve(), name)
        if other != name:
            raise InputError(f"{other} and {name} both name '{path}': give two files")


def command(example: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds a command; Ctrl-C, too, ends it in a sentence."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(*arguments: Any, **options: Any) -> None:
            try:
                function(*arguments, **options)
            except KeyboardInterrupt:
                raise InputError("interrupted: nothing more was written") from None

        app.command(epilog=f"Example: {example}")(run)
        return function

    return register


Json = Annotated[
    Path | None, typer.Option("--json", help="write the result to this file", callback=place)
]
Data = Annotated[str | None, typer.Option("--data", help="folder of the data set, or 'download'")]
Input = Annotated[
    Path | None,
    typer.Option("--input", help="samples (.npy) for a program of another tool's network"),
]
Seed = Annotated[int, typer.Option(help="seed of the gaze over the images")]
Bundle = Annotated[Path, typer.Argument(help="a compiled program, model.clapp")]
Dt = Annotated[float | None, typer.Option("--dt", help="NIR: seconds that a time step stands for")]
Steps = Annotated[
    int | None,
    typer.Option("--steps", help="NIR, ONNX: time steps a sample (default: the file's, or 32)"),
]
Inputs = Annotated[
    str | None, typer.Option("--inputs", help="NIR, ONNX: spikes, intensities or graded")
]
Calibration = Annotated[
    Path | None,
    typer.Option(
        "--calibration", help="NIR, ONNX: samples (.npy) for an ANN's thresholds, measures"
    ),
]
Model = Annotated[Path, typer.Argument(help="a checkpoint, model.pt")]
