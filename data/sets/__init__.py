"""Folders of images: sub-images, smaller versions, meta info, manifest."""
