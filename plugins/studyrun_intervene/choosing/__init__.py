"""From the features as a table to the edits that a study asks for, and those like them."""
