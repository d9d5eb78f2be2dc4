"""Second-order degradation, and what a domain adds to it."""
