"""The shots of a video, and what lies between them."""
