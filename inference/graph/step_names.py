"""By which names the graph of a network with a state takes and makes its tensors."""

STEP_INPUTS = ("x", "before", "after", "state")
"""Frames, those before and after them, and the state; see `step` in runner.py."""
STEP_OUTPUTS = ("output", "next_state")
"""The upscaled frames, and the state for those after them."""
