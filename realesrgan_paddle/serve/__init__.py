"""The web page: a picture in, the upscaled one out."""
