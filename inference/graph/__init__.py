"""What an exported graph is, read from its files without Paddle."""
