"""Watches one run of a live PyTorch network: which module or function was called on what.

The network runs as it is, with a real sample, so any `forward` can be watched: time loops, tuples,
named states. Values that come from the sample are followed by identity; what a module does inside
itself is not looked at where the front ends know the module. A branch on the data is refused, since
one sample shows only one side of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

from clapp_neuro.errors import InputError

Kind = TypeVar("Kind")

BRANCHES = ("__bool__", "item", "__int__", "__float__", "__index__", "tolist", "numpy", "equal")
FILLED = ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
IDENTITIES = ("to", "float", "contiguous", "clone", "detach", "requires_grad_", "type", "cpu")


@dataclass(frozen=True)
class Value:
    """A tensor that comes from the sample: result `part` of a call; call None: the sample."""

    call: int | None
    part: int = 0


@dataclass(frozen=True)
class Call:
    """One call of a module (by its name in the network) or of a torch function.

    arguments and keywords hold a `Value` wherever a followed tensor was given. shape: of the first
    tensor given, batch axis and all; results: shapes of the tensors that came out.
    """

    number: int
    name: str
    module: nn.Module | None
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    shape: tuple[int, ...]
    results: tuple[tuple[int, ...], ...]

    @property
    def values(self) -> tuple[Value, ...]:
        """The followed tensors that went in, in order."""
        return tuple(values_in((self.arguments, dict(self.keywords))))


@dataclass(frozen=True)
class Recording:
    """All calls in order, what the network returned (followed tensors as `Value`), the sample."""

    calls: tuple[Call, ...]
    returned: Any
    sample: Tensor


def record(
    run: Callable[[], Any], net: nn.Module, sample: Tensor, known: Callable[[nn.Module], bool]
) -> Recording:
    """Watch `run()`, which calls `net` on `sample`; nothing inside a `known` module is looked at.

    Raises InputError where the network fails, or branches on its data.
    """
    watch = _Watch(sample)
    with torch.no_grad(), _hooked(net, watch, known), watch:
        try:
            returned = run()
        except InputError:
            raise
        except Exception as error:
            text = str(error).strip().splitlines()
            raise InputError(
                f"the network itself fails on the sample of shape {tuple(sample.shape)}: "
                f"{type(error).__name__}: {text[0] if text else 'no reason given'}; give a sample "
                "with a batch axis that net(sample) accepts"
            ) from error
    return Recording(tuple(watch.calls), watch.followed(returned), sample)


class _Watch(TorchFunctionMode):
    """Sees each torch call outside known modules, and keeps what came from the sample."""

    def __init__(self, sample: Tensor) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.inside = 0  # how many known modules are running
        self.values: dict[int, tuple[Tensor, Value]] = {}  # by id; holding it keeps the id its own
        self.values[id(sample)] = (sample, Value(None))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        keywords = kwargs or {}
        if self.inside:
            return func(*args, **keywords)
        given = tuple(values_in(self.followed((args, keywords))))
        if not given:
            return func(*args, **keywords)
        name = (resolve_name(func) or getattr(func, "__name__", str(func))).split(".")[-1]
        if name in BRANCHES:
            raise InputError(
                f"the forward pass reads a value of the data ({name}): one sample shows only one "
                "branch of it; let the network compute the same operations for every input"
            )
        arguments = self.followed(args), self.followed(keywords)
        shapes = [tuple(a.shape) for a in _tensors((args, keywords))]
        result = func(*args, **keywords)
        if name == "__iter__":
            slices = list(result)
            self.add("unbind", None, arguments, shapes, slices)
            return iter(slices)
        tensors = list(_tensors(result))
        if not tensors or name in FILLED:
            return result  # a size, a flag, numbers of its own
        if name in IDENTITIES:
            self.values[id(tensors[0])] = (tensors[0], given[0])
            return result
        if name == "__get__":
            name = (resolve_name(func) or name).split(".")[-2]
        self.add(name, None, arguments, shapes, tensors)
        return result

    def add(
        self,
        name: str,
        module: nn.Module | None,
        given: tuple[Any, Any],
        shapes: list[tuple[int, ...]],
        tensors: list[Tensor],
    ) -> None:
        """Note a call, and follow what came out of it."""
        number = len(self.calls)
        first = shapes[0] if shapes else ()
        results = tuple(tuple(t.shape) for t in tensors)
        self.calls.append(Call(number, name, module, *given, first, results))
        for part, tensor in reversed(list(enumerate(tensors))):  # the first, where one comes twice
            self.values[id(tensor)] = (tensor, Value(number, part))

    def followed(self, found: Any) -> Any:
        """The same with a `Value` wherever a followed tensor stands."""
        if isinstance(found, Tensor):
            kept = self.values.get(id(found))
            return kept[1] if kept is not None else found
        if isinstance(found, Mapping):
            return {k: self.followed(v) for k, v in found.items()}
        if isinstance(found, list | tuple):
            return tuple(self.followed(v) for v in found)
        return found


@contextmanager
def _hooked(net: nn.Module, watch: _Watch, known: Callable[[nn.Module], bool]) -> Iterator[None]:
    """Tells the watch of each call of a known module, and hides what happens inside it."""
    handles = []
    hidden = [n + "." for n, m in net.named_modules() if n and known(m)]
    for name, module in net.named_modules():
        if not known(module) or any(name.startswith(h) for h in hidden):
            continue

        def enter(_module: nn.Module, _args: Any, _kwargs: Any) -> None:
            watch.inside += 1

        def leave(module: nn.Module, args: Any, kwargs: Any, result: Any, name: str = name) -> None:
            watch.inside -= 1
            given = watch.followed((args, kwargs))
            if not watch.inside and tuple(values_in(given)):
                shapes = [tuple(t.shape) for t in _tensors((args, kwargs))]
                title = name or type(module).__name__.lower()
                watch.add(title, module, given, shapes, list(_tensors(result)))

        handles.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        handles.append(module.register_forward_hook(leave, with_kwargs=True, always_call=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensors(found: Any) -> Iterator[Tensor]:
    return _nested(Tensor, found)


def values_in(found: Any) -> Iterator[Value]:
    """The followed tensors in nested arguments or results, in order."""
    return _nested(Value, found)


def _nested(kind: type[Kind], found: Any) -> Iterator[Kind]:
    """All of a kind in nested arguments or results, in order."""
    if isinstance(found, kind):
        yield found
    elif isinstance(found, Mapping):
        for value in found.values():
            yield from _nested(kind, value)
    elif isinstance(found, list | tuple):
        for value in found:
            yield from _nested(kind, value)
