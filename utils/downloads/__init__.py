"""Files from the network, each checked by its sha256."""
