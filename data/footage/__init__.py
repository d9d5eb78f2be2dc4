"""Videos to frames that are worth training on."""
