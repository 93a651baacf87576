"""The linearised problem: Jacobian, ridge, leave-one-out risk, spectrum; dense and matrix-free."""
