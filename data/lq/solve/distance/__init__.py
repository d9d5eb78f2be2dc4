"""How far degraded ground truth is from real images, and what is nearest them."""
