"""Real clients against a real broker process. README.md says how to run them."""
