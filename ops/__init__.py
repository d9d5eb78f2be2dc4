"""The operators that networks are written over: Paddle's own, and oneDNN's on a CPU."""
