"""The oneDNN library: found, called, and its primitives, for training and for inference."""
