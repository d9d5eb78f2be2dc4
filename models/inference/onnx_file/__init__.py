"""ONNX files: a network written as one, and a stranger's checked before it is run."""
