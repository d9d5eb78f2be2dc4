"""How good images are: against a ground truth, by themselves, and as a set."""
