"""The few integer kernels that the simulator is made of, compiled by numba.

Every kernel repeats, lane for lane, the arithmetic that `compiler.program` documents.
"""
