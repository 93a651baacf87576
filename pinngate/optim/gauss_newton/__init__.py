"""Population-risk Gauss–Newton: Jacobian, trust region, noise of the data, and the iteration."""
