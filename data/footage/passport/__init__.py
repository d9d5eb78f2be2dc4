"""What a source is: its true size, its compression, its faults, and whether to train on it."""
