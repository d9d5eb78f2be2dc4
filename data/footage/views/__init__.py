"""Which frames show the same: copies of one another, and views of one place."""
