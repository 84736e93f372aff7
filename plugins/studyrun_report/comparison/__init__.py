"""The comparison of runs: a page of the report's own blocks on many cells side by side."""
