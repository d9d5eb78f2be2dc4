"""Released and converted weights."""
