"""What figures of a few images can tell, and what they cannot."""
