"""Whether a training goes well, and whether it helped: metrics of images, in words."""
