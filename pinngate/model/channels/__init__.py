"""Derivative channels: which to carry (`plan`), how they travel forward and back (`propagate`)."""
