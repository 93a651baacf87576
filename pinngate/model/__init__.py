"""Trial spaces and residuals: networks, derivative channels, sizes, moments of gradients."""
