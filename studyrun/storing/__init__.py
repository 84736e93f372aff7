"""Behind the store: files that survive a crash, locks, the parts of a result on disk."""
