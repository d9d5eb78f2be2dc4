"""Trained networks on whole images: tiles, export, files."""
