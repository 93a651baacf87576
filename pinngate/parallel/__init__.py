"""Several processes that share one run, started by torchrun."""
