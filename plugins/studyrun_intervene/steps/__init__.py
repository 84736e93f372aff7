"""The steps: parameters, inputs and a context in, tables out."""
