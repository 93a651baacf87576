"""Direct fit through a solver: equations hold exactly, what is unknown follows by least squares."""
