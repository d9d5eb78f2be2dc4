"""What videos are, found out with ffmpeg."""
