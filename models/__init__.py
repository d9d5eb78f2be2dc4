"""Networks, their released weights, training steps, export and upscaling."""
