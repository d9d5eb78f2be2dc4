"""Files from the network, each checked against its sha256."""
