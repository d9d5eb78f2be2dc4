"""Files of strangers and of other processes: what may be opened, and who may write."""
