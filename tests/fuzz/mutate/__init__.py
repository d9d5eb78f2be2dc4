"""Damaged and hostile versions of files, by their formats."""
