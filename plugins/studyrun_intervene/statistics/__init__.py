"""Whether edits matter: means, intervals, tests and sample sizes; pure functions of tensors."""
