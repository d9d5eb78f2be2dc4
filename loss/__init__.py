"""Losses of the generator and the discriminator."""
