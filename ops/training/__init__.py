"""Operators on oneDNN with their gradients: what a network is trained with on a CPU."""
