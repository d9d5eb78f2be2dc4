"""Folders of low-quality images: written, previewed, compared with real ones."""
