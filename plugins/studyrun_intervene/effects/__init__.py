"""Effects that are read from edited runs of the model; each a pure function of them."""
