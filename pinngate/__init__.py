"""pinngate."""

__version__ = "0.1.0"
