"""From activations to an SAE: the loss, the steps of one training or of a stack, what is kept."""
