"""The parts of infer.py: its processes, its rows, and what they are given."""
