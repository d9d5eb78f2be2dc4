"""Videos and their results side by side: figures, pages with players, a file to share."""
