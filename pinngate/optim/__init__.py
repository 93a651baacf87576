"""Optimizers that tell signal from noise: the gates, and the methods built on them."""
