"""Behind the runner: recipes and reasons, events and records, progress, what a run shows."""
