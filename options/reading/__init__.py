"""Option files to checked options."""
