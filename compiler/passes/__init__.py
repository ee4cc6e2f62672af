"""Transformations of a network, each a pure function; `compiler.pipeline` shows their order."""
