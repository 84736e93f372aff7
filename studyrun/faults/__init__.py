"""What can be wrong with a study, and how it is said."""
