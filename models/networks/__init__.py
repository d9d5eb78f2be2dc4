"""The networks, each described in one file."""
