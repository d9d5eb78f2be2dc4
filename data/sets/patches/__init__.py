"""The best patches of a set of frames: detailed, in focus, and each of them new."""
