"""What runs an exported network besides Paddle: OpenVINO and onnxruntime."""
