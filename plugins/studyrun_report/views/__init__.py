"""The record's views: the page, the text, the JSON."""
