"""Engines that execute a `compiler.program.Program`; none knows another."""
