"""What combines with what: each refusal says why."""

from __future__ import annotations

from clapp_neuro.config.data import DataConfig
from clapp_neuro.config.encoder import EncoderConfig
from clapp_neuro.config.modules import modules
from clapp_neuro.config.train import TrainConfig
from clapp_neuro.errors import InputError
from clapp_neuro.rules.registry import METHODS, Method


def check_combination(data: DataConfig, encoder: EncoderConfig, train: TrainConfig) -> None:
    """Raise InputError, with the reason and the remedy, where the parts do not go together."""
    method = METHODS[train.method]
    _check_method(method, encoder, train)
    parts = modules(len(encoder.layers), train)
    deep = max(len(part) for part in parts) > 1 or encoder.architecture == "resnet50"
    if deep and not method.splits:
        raise InputError(
            f"{train.method} says itself how errors reach each layer, so it has no modules of "
            "several layers: leave modules out, and use a dense or conv encoder"
        )
    if train.context != "same" and len(parts) == 1:
        raise InputError(
            f"context '{train.context}' needs a module above, but there is only one: "
            "give more modules, or context 'same'"
        )
    if train.mode == "online":
        _check_online(method, deep, encoder, train)
    if train.weight_bits is not None and train.mode == "online":
        raise InputError(
            "weight_bits: training for few bits is for minibatches: use mode 'batch' (online, the "
            "chip itself learns in few bits: compile and run --learn)"
        )
    if data.coding == "signed" and encoder.neurons == "spiking":
        raise InputError(
            "coding 'signed' has negative inputs, which spikes cannot carry: use 'on-off'"
        )
    if encoder.architecture != "dense" and encoder.side(data.patch, len(encoder.layers)) < 1:
        raise InputError(
            f"{len(encoder.pool)} poolings leave nothing of {data.patch}x{data.patch} patches: "
            "pool less or take larger patches"
        )
    if train.directions != "down" and (data.order != "columns" or method.retro == ("none",)):
        raise InputError(
            "directions 'down-across' adds predictions along the rows of a grid of patches: it "
            "needs order 'columns' and a method with prediction weights"
        )
    if train.distances[-1] >= data.sequence:
        raise InputError(
            f"prediction {train.distances[-1]} fixations ahead, but a sequence has "
            f"{data.sequence}: lower prediction_steps or skip"
        )


def _check_method(method: Method, encoder: EncoderConfig, train: TrainConfig) -> None:
    name = train.method
    if train.retro is not None and train.retro not in method.retro:
        known = ", ".join(f"'{retro}'" for retro in method.retro)
        reason = "has no prediction weights" if method.retro == ("none",) else "knows no such loss"
        raise InputError(f"retro '{train.retro}': {name} {reason}; it combines with {known}")
    if train.context not in method.context:
        known = ", ".join(f"'{context}'" for context in method.context)
        raise InputError(
            f"context '{train.context}': the paper defines it for CLAPP and CLAPP-s in modules of "
            f"their own, not for {name}; it combines with {known}"
        )
    if train.gate == "split" and (train.retrodiction != "own" or method.rule == "infonce"):
        raise InputError(
            "gate 'split' belongs to the two halves of Eq. 14, of which there is only one here: "
            "give retro 'own', or gate 'shared'"
        )
    if method.spiking_only and encoder.neurons != "spiking":
        raise InputError(f"{name} is about spikes, but neurons is '{encoder.neurons}'")
    if method.timed and (train.mode != "online" or encoder.architecture != "dense"):
        raise InputError(
            f"{name} learns at every time step of a fixation and at single synapses: use mode "
            "'online' and a dense encoder"
        )
    if method.timed and encoder.input != "spikes":
        raise InputError(
            f"{name} learns from the times of spikes, but the input is a constant current: give "
            "encoder.input 'spikes', as the preset fashion-stdp does"
        )
    by_spikes = method.timed or method.rule == "random" or encoder.traces == "exponential"
    if encoder.input == "spikes" and not by_spikes:
        raise InputError(
            f"encoder.input 'spikes' is for methods that learn from spike times; {name} learns "
            "from what a fixation amounts to: use input 'current', or encoder.traces 'exponential'"
        )
    if encoder.traces == "exponential" and method.rule != "random":
        _check_traces(name, encoder, train)
    if encoder.input == "spikes" and encoder.neurons != "spiking":
        raise InputError("encoder.input 'spikes' drives spiking neurons, but neurons is 'rate'")
    if method.rate_only and encoder.neurons != "rate":
        raise InputError(
            f"{name} relaxes real-valued activity, which spike counts are not: use neurons 'rate'"
        )


def _check_traces(name: str, encoder: EncoderConfig, train: TrainConfig) -> None:
    if name != "clapp":
        raise InputError(
            f"encoder.traces 'exponential' is for method clapp, not {name}: use traces 'counts'"
        )
    if train.mode != "online" or encoder.architecture != "dense" or encoder.neurons != "spiking":
        raise InputError(
            "encoder.traces 'exponential' are traces of one gaze at single synapses of spiking "
            "neurons: use mode 'online', a dense encoder and neurons 'spiking'"
        )
    if encoder.input != "spikes":
        raise InputError(
            "encoder.traces 'exponential' are traces of spikes, but the input is a constant "
            "current: give encoder.input 'spikes', as the preset fashion-traces does"
        )
    if train.gate == "split":
        raise InputError("encoder.traces 'exponential' need one gate a layer: use gate 'shared'")


def _check_online(method: Method, deep: bool, encoder: EncoderConfig, train: TrainConfig) -> None:
    name = train.method
    if method.rule == "random":
        return
    if not method.online:
        reason = (
            "needs labels at every fixation"
            if method.labelled
            else "compares activities that are not there at the same time"
        )
        raise InputError(f"mode 'online': {name} {reason}; use mode 'batch'")
    if deep or train.context != "same":
        raise InputError(
            "mode 'online' is local in time and space: it takes modules of one layer and "
            "context 'same'; use mode 'batch'"
        )
    if train.predictions > 1 or train.skip > 0:
        raise InputError(
            "mode 'online' keeps one trace, that of the last fixation: give prediction_steps 1, "
            "directions 'down' and skip 0, or use mode 'batch'"
        )
    if train.precision != "float32" or train.compile:
        raise InputError("mode 'online' works on single fixations: leave precision and compile out")
