"""Image sets: manifest, meta info, sub-images, downscaled versions, best patches."""
