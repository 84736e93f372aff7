"""An edit as maths: z', what it moves in the reconstruction, what it adds to the residual; pure."""
