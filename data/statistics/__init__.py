"""What an image shows, without a reference: edges, noise, detail, blocks."""
