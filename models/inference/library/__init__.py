"""What Python code calls besides `Upscaler`: its kinds of images, ModelScope's pipeline."""
