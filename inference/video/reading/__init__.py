"""What of a video is read: packets, frames, pixels."""
