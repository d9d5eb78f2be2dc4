"""Networks measured on benchmark sets: pairs, metrics, the network's card, tables."""
