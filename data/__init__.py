"""Footage to high-resolution sets, and sets to training batches."""
