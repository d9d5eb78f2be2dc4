"""One thin script per job; each has `main(argv)`."""
