"""Typed options of a training run, and the yml files that hold them."""
