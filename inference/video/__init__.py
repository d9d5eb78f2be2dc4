"""Whole videos: decoded, upscaled and encoded at the same time, with all that goes with them."""
