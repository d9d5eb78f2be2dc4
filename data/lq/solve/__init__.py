"""The degradation solved for: options whose low-quality images are like real ones."""
