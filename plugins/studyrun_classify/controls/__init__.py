"""What stands beside labels: data with nothing in them, other classifiers, other seeds, pairs."""
