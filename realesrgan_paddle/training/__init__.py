"""A training run put together of data, losses and networks."""
