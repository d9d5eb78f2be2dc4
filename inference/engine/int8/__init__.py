"""The small networks with their hidden convolutions in 8-bit integers."""
