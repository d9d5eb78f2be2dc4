"""Networks run by oneDNN without Paddle: an image in, an upscaled image out."""
