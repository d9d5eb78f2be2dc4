"""Files, images, errors, logs, metrics: helpers that know nothing of the other folders."""
