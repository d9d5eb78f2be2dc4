"""Whether a training helped: figures of single images, judged in pairs, and put in words."""
