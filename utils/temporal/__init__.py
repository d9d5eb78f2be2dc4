"""How consistent a video is from frame to frame, and how sharp it is meanwhile."""
