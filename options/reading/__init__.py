"""Reads option files into checked options, and describes the options to people and editors."""
