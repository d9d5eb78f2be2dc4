"""Operators by oneDNN, through its C API, for training on a CPU."""
