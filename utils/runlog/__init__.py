"""What a training run writes down: its folder, states, speed, records and curves."""
