"""Charts, and the pictures that they become."""
