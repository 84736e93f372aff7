"""One module for each classifier that `classify` ships with, and what it alone needs."""
