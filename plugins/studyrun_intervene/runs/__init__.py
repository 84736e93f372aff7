"""The runs of the model that a step asks for, from their layout to what is claimed of them."""
