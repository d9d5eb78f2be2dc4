"""Training options written for the images and the machine at hand."""
