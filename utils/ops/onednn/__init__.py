"""Operators that call the oneDNN library inside the Paddle wheel."""
