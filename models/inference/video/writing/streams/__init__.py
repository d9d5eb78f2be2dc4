"""The streams of an upscaled video: which container takes which, and their packets."""
