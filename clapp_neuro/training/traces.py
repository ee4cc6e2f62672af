"""Online CLAPP whose synapses know their presynaptic neurons by exponential traces of spikes.

A chip without graded spikes cannot tell a synapse a spike count. Its synapses have two traces that
each presynaptic spike raises and that decay in every time step, the rest between fixations
included. With λ = exp(−1/τ), T steps of presentation, a period P of T steps and the rest, and the
spikes s of fixation k, a trace is, when the presentation is over,

    X(k) = λ^P · X(k−1) + Σ_t λ^(T−1−t) · s_t,        X̂ = X / Σ_t λ^(T−1−t)

so X̂ is 1 after a fixation in which the neuron spiked at every step, if nothing was before. The
fast trace stands for the activity z of this fixation. The slow one remembers the fixation before
as well, and less the fast one it stands for the activity c of that:

    z̃ = X̂_fast        c̃ = (X̂_slow − X̂_fast) / (λ_slow^P − λ_fast^P)

For a neuron that spikes evenly or not at all, the current fixation cancels in c̃, and the last one
counts 1; those before it count less and less. When synapses learn, some steps later, both traces
have decayed by constant factors, which the rule's coefficients take up.

What a soma knows stays a count: dendrites add up W_pred and W_retro as spikes arrive, without a
leak. So the loss and its gate are those of `rules.clapp`, and Eq. 6 to 8 have z̃ and c̃ in the place
of presynaptic z and c:

    ΔW_ji = γ·d_j·ρ'(a_j)·x̃_i + γ·r_j·ρ'(a_j^{t−δt})·x̃_i^{t−δt}
    ΔW_pred,jk = γ·z_j·c̃_k        ΔW_retro,kj = γ·c_k·z̃_j

It is the gradient of the loss in which each synapse takes its presynaptic activity for the trace.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from clapp_neuro.config import EncoderConfig, Experiment
from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.layers import Answer
from clapp_neuro.encoders.neurons import input_spikes
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.state import resume_tensor


class TraceTrainer(OnlineTrainer):
    """As its parent, for `encoder.traces` 'exponential'.

    kept: X̂ (2, N), fast and slow, of the input and of each layer, at the end of the last
    presentation.
    """

    def __init__(
        self,
        experiment: Experiment,
        images: ImageSet,
        weights: dict[str, Tensor],
        resume: Mapping[str, Tensor] | None,
    ) -> None:
        super().__init__(experiment, images, weights, resume)
        encoder = experiment.encoder
        self.shares = spike_shares(encoder).to(self.dtype)
        self.left = torch.tensor(remaining(encoder), dtype=self.dtype)[:, None]
        self.kept = kept_traces(experiment, self.dtype, resume)

    def state(self) -> dict[str, Tensor]:
        """What each layer keeps of the last fixation, and the traces."""
        return {**super().state(), **stored_traces(self.kept)}

    def _remember(self, inputs: Tensor, answers: list[tuple[int, Answer]]) -> None:
        spikes = [input_spikes(inputs[0], self.experiment.encoder.steps)]
        spikes += [now.spikes[:, 0] for _, now in answers if now.spikes is not None]
        self.kept = [
            self.left * kept + self.shares @ fired
            for kept, fired in zip(self.kept, spikes, strict=True)
        ]

    def _traces(self, layer: int) -> Tensor:
        fast, slow = self.kept[layer]
        before = (slow - fast) / (self.left[1] - self.left[0])
        return torch.stack([before, fast])[None]


def kept_traces(
    experiment: Experiment, dtype: torch.dtype, resume: Mapping[str, Tensor] | None
) -> list[Tensor]:
    """X̂ (2, N) of the input and of each layer: none yet, or those of the run that goes on."""
    sizes = (experiment.data.inputs, *experiment.encoder.layers)
    kept = [torch.zeros(2, size, dtype=dtype) for size in sizes]
    if resume is None:
        return kept
    return [resume_tensor(resume, name, like) for name, like in stored_traces(kept).items()]


def stored_traces(kept: list[Tensor]) -> dict[str, Tensor]:
    """The traces as a checkpoint keeps them."""
    return {f"traces.{level}": traces for level, traces in enumerate(kept)}


def decays(encoder: EncoderConfig) -> tuple[float, float]:
    """λ of the fast and of the slow trace: what is left of it after a time step."""
    return math.exp(-1 / encoder.tau_fast), math.exp(-1 / encoder.tau_slow)


def remaining(encoder: EncoderConfig) -> tuple[float, float]:
    """λ^P: what is left of each trace when the next fixation is as far."""
    fast, slow = (decay ** (encoder.steps + encoder.rest) for decay in decays(encoder))
    return fast, slow


def spike_shares(encoder: EncoderConfig) -> Tensor:
    """What a spike of each step adds to X̂: (2, T), rows of which sum to 1."""
    age = torch.arange(encoder.steps - 1, -1, -1, dtype=torch.float64)
    powers = torch.tensor(decays(encoder), dtype=torch.float64)[:, None] ** age
    return powers / powers.sum(1, keepdim=True)
