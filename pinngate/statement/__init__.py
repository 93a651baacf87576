"""What is asked: equations, conditions, observations, unknowns, and the checks they pass."""
