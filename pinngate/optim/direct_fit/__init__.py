"""Direct fit through a solver: equations marched exactly, everything unknown found by least squares."""
