"""Mini-batch training: Adam on −ΔW, averaged as in the paper's experiments (Appendix B)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clapp_neuro.config import DataConfig, Experiment
from clapp_neuro.data.images import ImageSet
from clapp_neuro.data.patches import centre_crop, image_inputs
from clapp_neuro.encoders.dense import forward
from clapp_neuro.errors import InputError
from clapp_neuro.randomness import Purpose, keyed_generator
from clapp_neuro.rules import clapp
from clapp_neuro.training.state import check_loss, moment_of, resume_tensor, synapses_of
from clapp_neuro.training.tally import Tally

MOMENTS = ("exp_avg", "exp_avg_sq")


class BatchTrainer:
    """One step = one minibatch of images, each seen at all positions in scan order.

    `weights` are changed in place, on the device on which they are. Raises InputError where there
    are fewer images than a minibatch needs.
    """

    def __init__(
        self,
        experiment: Experiment,
        images: ImageSet,
        weights: dict[str, Tensor],
        resume: Mapping[str, Tensor] | None,
    ) -> None:
        self.experiment = experiment
        self.images = images.learning_images
        self.weights = weights
        self.device = next(iter(weights.values())).device
        size = experiment.train.batch_size
        if len(self.images) < size:
            raise InputError(
                f"{len(self.images)} images do not fill a minibatch of {size}: "
                "lower batch_size or give more images"
            )
        self.optimizer = torch.optim.Adam(list(weights.values()), lr=experiment.train.adam_rate)
        if resume is not None:
            self._restore(resume)

    def advance(self, step: int, tally: Tally) -> None:
        """Learn from the minibatch of this step."""
        train = self.experiment.train
        size = train.batch_size
        chosen = batch_indices(train.seed, len(self.images), size, step)
        inputs = self._inputs(chosen, step)
        positions = inputs.shape[1]
        activity = forward(self.weights, inputs.flatten(0, 1), self.experiment.encoder)
        y, origin, eta = self._draw(step, positions)
        for layer, answer in enumerate(activity, 1):
            seen = moment_of(answer)
            now = _select(seen, size, positions, slice(1, None), None)
            before = _select(seen, size, positions, slice(None, -1), origin)
            synapses = synapses_of(self.weights, layer)
            broadcast = clapp.modulate(
                now,
                before,
                synapses,
                y,
                eta=eta,
                margin=train.margin,
                retro=train.retro,
                gate=train.gate,
            )
            updates = clapp.plasticity(now, before, synapses, broadcast, retro=train.retro)
            self._descend(synapses, updates)
            loss = broadcast.loss.mean().item()
            check_loss(loss, layer, step, "adam_rate", train.adam_rate)
            gate = (broadcast.loss > 0).float().mean().item()
            tally.add(layer - 1, loss, gate, answer.z.mean().item())
        self.optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """Adam's moments and step counts, by the names of the weights."""
        stored: dict[str, Tensor] = {}
        for name, weight in self.weights.items():
            for key, value in self.optimizer.state[weight].items():
                stored[f"adam.{name}.{key}"] = value
        return stored

    def _restore(self, resume: Mapping[str, Tensor]) -> None:
        for name, weight in self.weights.items():
            if f"adam.{name}.step" not in resume:
                continue  # a matrix that has never been updated has no moments
            state = {key: resume_tensor(resume, f"adam.{name}.{key}", weight) for key in MOMENTS}
            state["step"] = resume[f"adam.{name}.step"].clone()
            self.optimizer.state[weight] = state

    def _inputs(self, chosen: npt.NDArray[np.int64], step: int) -> Tensor:
        """The inputs (B, P, inputs) of the chosen images."""
        config = self.experiment.data
        images = self.images[chosen]
        if config.augment:
            images = augmented(images, config, self.experiment.train.seed, step)
        return torch.from_numpy(image_inputs(images, config)).to(self.device)

    def _draw(self, step: int, positions: int) -> tuple[Tensor, Tensor, Tensor]:
        """y (B·(P−1),), the image (B,) each context comes from, and η (B·(P−1),).

        A fair coin a image decides whether it is followed or left; a context from before a
        saccade is that of another image at the same position, the same shift for all. The terms
        with y = +1 and with y = −1 are each averaged over the images that drew them and over the
        positions, then added.
        """
        train = self.experiment.train
        size = train.batch_size
        generator = keyed_generator(train.seed, Purpose.BATCH_DRAWS, step)
        stays = generator.random(size) < 0.5
        shift = int(generator.integers(1, size))
        own = np.arange(size)
        origin = np.where(stays, own, (own + shift) % size)
        numbers = np.where(stays, max(1, stays.sum()), max(1, size - stays.sum()))
        eta = 1.0 / (numbers * (positions - 1))
        each = positions - 1
        dtype = self.weights["layer1.forward"].dtype

        def rows(values: npt.NDArray[np.float64]) -> Tensor:
            return torch.from_numpy(np.repeat(values, each)).to(self.device, dtype)

        return rows(np.where(stays, 1.0, -1.0)), torch.from_numpy(origin).to(self.device), rows(eta)

    def _descend(self, synapses: clapp.Synapses, updates: clapp.Updates) -> None:
        """Hand −ΔW to the optimizer as the gradient."""
        synapses.forward.grad = -updates.forward.matrix()
        synapses.prediction.grad = -updates.prediction.matrix()
        if self.experiment.train.retro == "transposed":
            # one matrix seen from two sides: the same numbers, whatever the order of summation
            synapses.retrodiction.grad = synapses.prediction.grad.T
        elif updates.retrodiction is not None:
            synapses.retrodiction.grad = -updates.retrodiction.matrix()


def batch_indices(seed: int, images: int, size: int, step: int) -> npt.NDArray[np.int64]:
    """The images of minibatch `step`: shuffled rounds through the data, the rest left out."""
    number, place = divmod(step, images // size)
    order = keyed_generator(seed, Purpose.BATCH_ORDER, number).permutation(images)
    return order[place * size : (place + 1) * size].astype(np.int64)


def augmented(
    images: npt.NDArray[np.uint8], config: DataConfig, seed: int, step: int
) -> npt.NDArray[np.uint8]:
    """Random crop and, for half of the images, horizontal flip (paper, Appendix B.1)."""
    generator = keyed_generator(seed, Purpose.AUGMENTATION, step)
    room = images.shape[1] - config.side
    if room < 0:
        return centre_crop(images, config.side)
    corners = generator.integers(0, room + 1, (len(images), 2))
    flips = generator.random(len(images)) < 0.5
    crops = [
        image[top : top + config.side, left : left + config.side][:, :: -1 if flip else 1]
        for image, (top, left), flip in zip(images, corners, flips, strict=True)
    ]
    return np.stack(crops)


def _select(
    seen: clapp.Moment, size: int, positions: int, which: slice, origin: Tensor | None
) -> clapp.Moment:
    """Rows (B·(P−1), ·) of the positions `which`, of the images `origin` where given."""

    def rows(values: Tensor) -> Tensor:
        grid = values.view(size, positions, -1)[:, which]
        return (grid if origin is None else grid[origin]).flatten(0, 1)

    return clapp.Moment(rows(seen.x), rows(seen.z), rows(seen.surrogate))
