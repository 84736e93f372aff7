"""What the sections and pages know of effects."""
