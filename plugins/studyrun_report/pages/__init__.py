"""The parts of a feature's page; each module tells its part of all features at once."""
