"""The checks that a statement passes, whether it comes from a file or from Python."""
