"""Where equations, conditions and priors are asked for: samples, batches, grids."""
