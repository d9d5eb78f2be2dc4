"""Files, images, errors, logs, metrics: helpers that import no other folder."""
