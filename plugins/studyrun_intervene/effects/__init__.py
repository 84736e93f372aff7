"""Effects of edits: what is read of the model's runs, and of the reconstruction; pure functions."""
