"""What of a result is written: segments, and the file that they end in."""
