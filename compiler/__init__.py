"""From a trained network to a program for a chip, and everything that is known about the program.

    import compiler
    graph = compiler.from_snntorch(net, sample)
    compiled = compiler.compile_network(graph, "loihi2-sim", steps=32, inputs="intensities")

They are loaded when first used, so that importing the package needs neither PyTorch nor Lava.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_FUNCTIONS = {
    "compile_network": "compiler.frontends.compile_source",
    "from_snntorch": "compiler.frontends.live.snntorch_networks",
    "emulate": "compiler.source.emulate",
    "from_norse": "compiler.frontends.live.norse_networks",
    "from_nir": "compiler.frontends.nir.graph",
    "from_onnx": "compiler.frontends.onnx.graph",
    "from_torch": "compiler.frontends.live.torch_networks",
    "to_nir": "compiler.exports.nir",
    "to_onnx": "compiler.exports.onnx",
    "write_onnx": "compiler.exports.onnx",
    "write_nir": "compiler.exports.nir",
    "rate_coded": "compiler.frontends.rate_coding",
    "stimulus": "compiler.frontends.compile_source",
}

__all__ = sorted(_FUNCTIONS)


def __getattr__(name: str) -> Any:
    if name not in _FUNCTIONS:
        raise AttributeError(f"module 'compiler' has no attribute '{name}'")
    return getattr(import_module(_FUNCTIONS[name]), name)


def __dir__() -> list[str]:
    return __all__
