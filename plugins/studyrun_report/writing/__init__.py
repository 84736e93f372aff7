"""Values as they are written, and the tables that they stand in."""
