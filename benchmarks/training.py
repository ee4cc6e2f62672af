"""Training by the explicit local rule against plain autograd: speed and peak memory in one run.

    python benchmarks/training.py [--preset NAME] [--batch N] [--steps N] [--device cpu|cuda]
                                  [--quick] [--precision float32|bfloat16] [--compile] [--json FILE]

Without a preset: VGG-6 on the patches of STL-10-shaped random images. Three contenders: CLAPP by
`BatchTrainer`; the same network and losses as one would write them with autograd, `detach` between
the layers and one backward over the sum; and end-to-end CPC. Each has a process of its own, so that
peaks of memory do not mix, and they take turns, so that a neighbour slows all of them.

CLAPP has its own W_retro and the two halves of Eq. 14, each with its own gate (`gate: split`): with
a shared gate the updates are the gradient of no loss. Blocked autograd then needs the very matrix
products of the local rule, activity and ΔW, so only what lies between them can differ in time;
end-to-end learning adds the products that carry errors down, half as many again. That the two
compute the same ΔW is checked in the same run, in float64.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clapp_neuro.config import (
    IMAGE_SIDES,
    Experiment,
    load_preset,
    read_experiment,
    with_training,
)
from clapp_neuro.data.device_patches import patch_inputs
from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.encoders.shapes import modules_of
from clapp_neuro.errors import InputError
from clapp_neuro.randomness import Purpose, keyed_generator
from clapp_neuro.rules.prediction import role
from clapp_neuro.show import dump, lines, table
from clapp_neuro.training.batch import GPU_WORKERS, BatchTrainer
from clapp_neuro.training.crew import ALONE
from clapp_neuro.training.loader import Minibatches, minibatches
from clapp_neuro.training.tally import Tally

VGG6 = {
    "data": {
        "dataset": "stl10",
        "crop": 64,
        "patch": 16,
        "stride": 8,
        "coding": "signed",
        "mean": 0.412,
        "std": 0.257,
        "order": "columns",
    },
    "encoder": {
        "architecture": "conv",
        "layers": [128, 256, 256, 512, 1024, 1024],
        "pool": [2, 4, 5, 6],
        "neurons": "rate",
    },
    "train": {"batch_size": 8, "prediction_steps": 5, "skip": 1, "adam_rate": 2e-4},
}
IMAGES = 256  # random ones, from which the minibatches are drawn
CHECKED = 4  # images of the minibatch whose ΔW are compared: float64 is slow
TOLERANCE = 1e-9
ROUNDS = 5
STEPS = {"cpu": 5, "cuda": 100}
QUICK_STEPS = {"cpu": 3, "cuda": 20}
WARM_UP = {"cpu": 1, "cuda": 10}
MEASURES = {
    "cpu": "growth of peak RSS (ru_maxrss) above the RSS after imports and making the weights",
    "cuda": "torch.cuda.max_memory_allocated, weights included",
}
NAMES = {
    "local": "CLAPP, explicit local rule",
    "blocked": "CLAPP, autograd with detach",
    "end_to_end": "CPC, autograd end to end",
}
SPEED_GOAL, MEMORY_GOAL = 3.0, 1 / 3  # on a GPU, against blocked autograd

Step = Callable[[int], float]
"""Learn from a minibatch; returns the loss, and waits for it as one who watches would."""


@dataclass(frozen=True)
class Contender:
    """A network that learns: one minibatch a `step`. optimizer: its Adam, for what it keeps."""

    step: Step
    optimizer: torch.optim.Optimizer
    weights: dict[str, Tensor]


def experiment_of(arguments: argparse.Namespace) -> Experiment:
    """What CLAPP trains on. Raises InputError for a preset that plain modules do not cover."""
    base = load_preset(arguments.preset) if arguments.preset else read_experiment(VGG6, "VGG-6")
    encoder = base.encoder
    if encoder.neurons != "rate" or encoder.architecture == "resnet50":
        raise InputError(
            "the autograd contenders are of plain rate layers: give a preset with neurons 'rate' "
            "and a dense or conv encoder"
        )
    plain = {"mode": "batch", "modules": None, "context": "same", "weight_decay": None}
    values = base.model_dump()
    values["train"].update(plain, method="clapp", retro="own", gate="split")
    return with_training(
        read_experiment(values, "benchmark"),
        batch_size=arguments.batch,
        precision=arguments.precision,
        compile=arguments.compile or None,
    )


def random_images(experiment: Experiment) -> ImageSet:
    """Noise: what is seen does not change how long it takes."""
    side = IMAGE_SIDES[experiment.data.dataset]
    random = np.random.default_rng(0)
    count = max(IMAGES, experiment.train.batch_size)
    images = random.integers(0, 256, (count, side, side), dtype=np.uint8)
    labels = np.zeros(count, np.int64)
    return ImageSet(experiment.data.dataset, "noise", (), images, labels, images, labels)


def contender(name: str, experiment: Experiment, device: str, kind: torch.dtype) -> Contender:
    """The one of this name, untrained, with its weights on the device."""
    if name == "end_to_end":
        # its negatives are compared with one W_pred, the only one that CPC has
        experiment = with_training(experiment, method="cpc", retro="transposed", gate="shared")
    weights = {n: w.to(device, kind) for n, w in initial_weights(experiment).items()}
    if name == "local":
        return _local(experiment, weights)
    return _autograd(experiment, weights, hinge_loss if name == "blocked" else infonce_loss)


def _local(experiment: Experiment, weights: dict[str, Tensor]) -> Contender:
    trainer = BatchTrainer(experiment, random_images(experiment), weights, None)

    def step(number: int) -> float:
        tally = Tally(len(trainer.modules), number)
        with torch.no_grad():
            trainer.advance(number, tally)
        return sum(layer.loss for layer in tally.take(number + 1).layers)

    return Contender(step, trainer.optimizer, weights)


@dataclass(frozen=True)
class Coins:
    """Chance of a minibatch, as `BatchTrainer` draws it: see `clapp_neuro.rules.seen.Draw`."""

    y: Tensor
    origin: Tensor
    pairs: list[tuple[Tensor, Tensor]]

    @property
    def share(self) -> Tensor:
        """(B, 1): an image's weight in the mean over those that drew the same y."""
        return 1 / (self.y == self.y.T).sum(1, keepdim=True)


def coins(experiment: Experiment, step: int, like: Tensor) -> Coins:
    """The coins of this step, on the device and in the type of `like`."""
    size = experiment.train.batch_size
    generator = keyed_generator(experiment.train.seed, Purpose.BATCH_DRAWS, step)
    stays = generator.random(size) < 0.5
    origin = np.where(stays, 0, int(generator.integers(1, size))) + np.arange(size)
    pairs = (experiment.data.pairs(distance) for distance in experiment.train.distances)
    return Coins(
        y=torch.from_numpy(np.where(stays, 1.0, -1.0)).to(like)[:, None],
        origin=torch.from_numpy(origin % size).to(like.device),
        pairs=[tuple(torch.tensor(p, device=like.device) for p in pair) for pair in pairs],
    )


class Network(nn.Module):
    """The layers as plain modules; with `blocked` no gradient passes from one to another."""

    def __init__(self, experiment: Experiment, blocked: bool) -> None:
        super().__init__()
        encoder = experiment.encoder
        self.blocked = blocked
        self.layers = nn.ModuleList()
        for number, (inputs, neurons) in enumerate(
            zip(experiment.widths[:-1], encoder.layers, strict=True), 1
        ):
            if encoder.architecture == "dense":
                parts: list[nn.Module] = [nn.Linear(inputs, neurons, bias=False), nn.ReLU()]
            else:
                parts = [nn.Conv2d(inputs, neurons, 3, padding=1), nn.ReLU()]
            if number in encoder.pool:
                parts.append(nn.MaxPool2d(2))
            self.layers.append(nn.Sequential(*parts))

    def forward(self, x: Tensor) -> list[Tensor]:
        """Activity z (B·P, N) of every layer."""
        found = []
        for layer in self.layers:
            x = layer(x.detach() if self.blocked else x)
            found.append(x if x.dim() == 2 else x.mean((2, 3)))
        return found


Leaves = dict[str, nn.Parameter]
Loss = Callable[[Tensor, Leaves, int, Coins, Experiment], Tensor]
"""(z (B, P, N), parameters, layer from 1, coins, experiment) → the layer's loss."""


def hinge_loss(
    z: Tensor, leaves: Leaves, layer: int, drawn: Coins, experiment: Experiment
) -> Tensor:
    """Eq. 3 for both halves of Eq. 14: in each, one of the two activities is a constant."""
    train, total = experiment.train, z.new_zeros(())
    elsewhere = z[drawn.origin]
    for number, (contexts, predicted) in enumerate(drawn.pairs, 1):
        c, target = elsewhere[:, contexts], z[:, predicted]
        prediction = leaves[f"layer{layer}.{role('prediction', number)}"]
        retrodiction = leaves[f"layer{layer}.{role('retrodiction', number)}"]
        forward = (target * (c.detach() @ prediction.T)).sum(-1)
        backward = (target.detach() * (c @ retrodiction)).sum(-1)
        for score in (forward, backward):
            terms = torch.relu(train.margin - drawn.y * score).mean(1, keepdim=True)
            total = total + (terms * drawn.share).sum()
    return total / len(drawn.pairs)


def infonce_loss(
    z: Tensor, leaves: Leaves, layer: int, drawn: Coins, experiment: Experiment
) -> Tensor:
    """The true pair against others from the whole minibatch, at the top layer alone."""
    if layer < len(experiment.encoder.layers):
        return z.new_zeros(())
    flat, total = z.flatten(0, 1), z.new_zeros(())
    for number, (contexts, predicted) in enumerate(drawn.pairs, 1):
        c, right = (z[:, places].flatten(0, 1) for places in (contexts, predicted))
        shape = (len(c), experiment.train.negatives)
        wrong = flat[torch.randint(len(flat), shape, device=z.device)]
        prediction = c @ leaves[f"layer{layer}.{role('prediction', number)}"].T
        scores = (torch.cat([right[:, None], wrong], 1) * prediction[:, None]).sum(-1)
        total = total + F.cross_entropy(scores, torch.zeros_like(scores[:, 0], dtype=torch.long))
    return total / len(drawn.pairs)


def _autograd(experiment: Experiment, weights: dict[str, Tensor], loss_of: Loss) -> Contender:
    first = next(iter(weights.values()))
    device, kind = first.device, first.dtype
    network = Network(experiment, loss_of is hinge_loss).to(device, kind)
    leaves = _leaves(network, weights)
    optimizer = torch.optim.Adam(leaves.values(), lr=experiment.train.adam_rate)
    answer = torch.compile(network) if experiment.train.compile else network
    workers = GPU_WORKERS if device.type == "cuda" else 0
    source = Minibatches(experiment, random_images(experiment), ALONE)
    loaded = minibatches(source, 0, device, workers)
    maps = experiment.encoder.architecture != "dense"
    low = experiment.train.precision == "bfloat16"

    def step(number: int) -> float:
        inputs = patch_inputs(next(loaded)[0], experiment.data, maps).to(kind)
        drawn = coins(experiment, number, inputs)
        with torch.autocast(device.type, torch.bfloat16, low):
            activities = answer(inputs)
        loss = inputs.new_zeros(())
        for layer, z in enumerate(activities, 1):
            grid = z.to(kind).unflatten(0, (-1, experiment.data.positions))
            loss = loss + loss_of(grid, leaves, layer, drawn, experiment)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return Contender(step, optimizer, {name: leaf.data for name, leaf in leaves.items()})


def _leaves(network: Network, weights: dict[str, Tensor]) -> Leaves:
    """The parameters by our names: those of the modules get these weights' values."""
    leaves = {}
    for name, value in weights.items():
        layer, what = name.removeprefix("layer").split(".", 1)
        module = network.layers[int(layer) - 1][0]
        own = {"forward": module.weight, "bias": module.bias}.get(what)
        if own is None:
            leaves[name] = nn.Parameter(value)
        else:
            own.data = value
            leaves[name] = own
    return leaves


def differences(experiment: Experiment, device: str) -> dict[str, float]:
    """‖ΔW + ∇L‖ / ‖∇L‖ of each tensor in the first minibatch, in float64: local rule, autograd."""
    small = with_training(experiment, batch_size=min(CHECKED, experiment.train.batch_size))
    values = small.model_dump()
    values["train"].update(precision="float32", compile=False)
    small = read_experiment(values, "check")
    ours, theirs = (_first_gradients(name, small, device) for name in ("local", "blocked"))
    if ours.keys() != theirs.keys():
        raise RuntimeError(f"one of the two leaves out {sorted(ours.keys() ^ theirs.keys())}")
    return {
        name: ((ours[name] - theirs[name]).norm() / theirs[name].norm()).item() for name in theirs
    }


def _first_gradients(name: str, experiment: Experiment, device: str) -> dict[str, Tensor]:
    """What Adam is given for each tensor in the first step."""
    made = contender(name, experiment, device, torch.float64)
    parameters = [p for group in made.optimizer.param_groups for p in group["params"]]
    found: dict[str, Tensor] = {}

    def note(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        # the local rule steps once a layer, and only that layer's tensors have a gradient then
        for weight, parameter in zip(made.weights, parameters, strict=True):
            if parameter.grad is not None:
                found[weight] = parameter.grad.clone()

    made.optimizer.register_step_pre_hook(note)
    made.step(0)
    return found


def _peak(device: str) -> int:
    """Bytes: on the GPU PyTorch's own peak, on the CPU the process's."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    # a process begins with the peak of the one that started it, so that one must stay small
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _resident() -> int:
    """Bytes that the process occupies now; where the system does not tell, at most so far."""
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * resource.getpagesize()
    return _peak("cpu")


def _check(link: Connection, experiment: Experiment, device: str) -> None:
    """A process: send the differences."""
    with _reporting(link):
        link.send(differences(experiment, device))


def _compete(link: Connection, name: str, experiment: Experiment, device: str) -> None:
    """A process: for each number received, seconds of so many steps; for None, its memory."""
    with _reporting(link):
        made = contender(name, experiment, device, torch.float32)
        start = 0 if device == "cuda" else _resident()
        step = 0
        link.send("ready")
        while (steps := link.recv()) is not None:
            seconds = []
            for _ in range(steps):
                began = time.perf_counter()
                made.step(step)
                if device == "cuda":
                    torch.cuda.synchronize()
                seconds.append(time.perf_counter() - began)
                step += 1
            link.send(seconds)
        kept = (v for s in made.optimizer.state.values() for v in s.values())
        link.send(
            {
                "peak_bytes": _peak(device) - start,
                "weights_bytes": sum(w.nbytes for w in made.weights.values()),
                "moments_bytes": sum(v.nbytes for v in kept if isinstance(v, Tensor)),
            }
        )


@contextmanager
def _reporting(link: Connection) -> Iterator[None]:
    """Send what went wrong to the process that waits."""
    try:
        yield
    except Exception:
        link.send(RuntimeError(traceback.format_exc()))


class Apart:
    """A function in a process of its own, and the link to it."""

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.link, theirs = spawn.Pipe()
        self.process = spawn.Process(target=work, args=(theirs, *arguments))
        self.process.start()
        theirs.close()

    def get(self) -> Any:
        """What it sends. Raises RuntimeError with its fault where it failed or died."""
        try:
            found = self.link.recv()
        except EOFError:
            raise RuntimeError("a contender's process died: was there memory enough?") from None
        if isinstance(found, Exception):
            raise found
        return found

    def ask(self, steps: int | None) -> Any:
        """Its answer to a number of steps, or to None, with which it ends."""
        self.link.send(steps)
        return self.get()

    def close(self) -> None:
        """End it, whatever it does."""
        self.process.terminate()
        self.process.join()


@contextmanager
def _apart(*calls: tuple[Any, ...]) -> Iterator[list[Apart]]:
    started: list[Apart] = []
    try:
        for call in calls:
            started.append(Apart(*call))
        yield started
    finally:
        for each in started:
            each.close()


def measure(experiment: Experiment, device: str, steps: int, quick: bool) -> dict[str, Any]:
    """All figures; seconds and bytes unless the name says otherwise."""
    load = os.getloadavg()[0]  # of others, before this run adds its own
    with _apart((_check, experiment, device)) as (checking,):
        found = checking.get()
    calls = [(_compete, name, experiment, device) for name in NAMES]
    rounds = min(ROUNDS, steps)
    with _apart(*calls) as running:
        for each in running:
            each.get()
        for each in running:
            each.ask(WARM_UP[device])
        turns = [[each.ask(steps // rounds) for each in running] for _ in range(rounds)]
        memory = [each.ask(None) for each in running]
    contenders = {
        name: {**used, **_speed([turn[place] for turn in turns], experiment)}
        for place, (name, used) in enumerate(zip(NAMES, memory, strict=True))
    }
    medians = [[statistics.median(seconds) for seconds in turn] for turn in turns]
    ratios = {
        other: _ratios(
            [turn[place] / turn[0] for turn in medians],
            memory[0]["peak_bytes"] / memory[place]["peak_bytes"],
        )
        for place, other in enumerate(NAMES)
        if place > 0
    }
    return {
        "contenders": contenders,
        "ratios": ratios,
        "speed_goal_on_gpu": SPEED_GOAL,
        "memory_goal_on_gpu": MEMORY_GOAL,
        "differences": found,
        "largest_difference": max(found.values()),
        "equal": max(found.values()) < TOLERANCE,
        "memory_measure": MEASURES[device],
        "experiment": experiment.model_dump(mode="json"),
        "modules": len(modules_of(experiment)),
        "steps": steps // rounds * rounds,
        "rounds": rounds,
        "quick": quick,
        "device": device,
        "device_name": torch.cuda.get_device_name() if device == "cuda" else _cpu(),
        "threads": torch.get_num_threads(),
        "load_average": load,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _speed(turns: list[list[float]], experiment: Experiment) -> dict[str, float]:
    step = statistics.median(second for seconds in turns for second in seconds)
    return {"step": step, "images_a_second": experiment.train.batch_size / step}


def _ratios(speeds: list[float], memory: float) -> dict[str, float]:
    """How many times faster than the other, and what part of its memory."""
    return {
        "speed": statistics.median(speeds),
        "speed_low": min(speeds),
        "speed_high": max(speeds),
        "memory": memory,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def show(figures: dict[str, Any]) -> None:
    """The table of contenders, then what was checked."""
    train = figures["experiment"]["train"]
    lines(
        f"{figures['device_name']}, {figures['threads']} threads, torch {figures['torch']}, "
        f"load average {figures['load_average']:.2f} before; layers "
        f"{figures['experiment']['encoder']['layers']}, batch {train['batch_size']}, "
        f"{train['precision']}{', compiled' if train['compile'] else ''}; "
        f"median of {figures['steps']} steps in {figures['rounds']} rounds"
    )
    rows = []
    for name, title in NAMES.items():
        one, ratio = figures["contenders"][name], figures["ratios"].get(name)
        row = [title, f"{one['images_a_second']:,.2f}", f"{1e3 * one['step']:,.0f}"]
        row += [f"{one['peak_bytes'] / 2**20:,.0f}", f"{one['weights_bytes'] / 2**20:,.0f}"]
        row += [f"{one['moments_bytes'] / 2**20:,.0f}"]
        if ratio is None:
            row += ["", ""]
        else:
            spread = f"{ratio['speed_low']:.2f} to {ratio['speed_high']:.2f}"
            row += [f"{ratio['speed']:.2f} ({spread})", f"{ratio['memory']:.2f}"]
        rows.append(row)
    goal = [f"{SPEED_GOAL:.0f} or more", f"{MEMORY_GOAL:.2f} or less"]
    rows.append(["goal on a GPU, against the second", *[""] * 5, *goal])
    header = ["", "images/s", "ms a step", "peak MiB", "weights MiB", "Adam MiB"]
    table([*header, "local rule: times as fast", "part of the memory"], rows)
    lines(
        f"Peak memory: {figures['memory_measure']}; Adam's moments are in it.",
        f"Explicit ΔW against autograd's gradient, float64, {len(figures['differences'])} tensors: "
        f"largest relative difference {figures['largest_difference']:.1e} "
        f"({'equal' if figures['equal'] else 'NOT EQUAL'} to {TOLERANCE:.0e})",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", help="a preset of rate neurons; default: VGG-6, STL-10 shapes")
    parser.add_argument("--batch", type=int, help="images a minibatch")
    parser.add_argument("--steps", type=int, help="timed minibatches of each contender")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: a GPU if there is one")
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--precision", choices=("float32", "bfloat16"))
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        experiment = experiment_of(arguments)
    except InputError as error:
        parser.error(str(error))
    steps = arguments.steps or (QUICK_STEPS if arguments.quick else STEPS)[device]
    figures = measure(experiment, device, steps, arguments.quick)
    show(figures)
    dump(arguments.json, figures)
    if not figures["equal"]:
        sys.exit("the contenders do not compute the same: the ratios compare nothing")


if __name__ == "__main__":
    main()
