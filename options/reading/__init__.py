"""Reads option files, and describes the options to people and editors."""
