"""The data: what was observed, how it was measured, and the files it comes in."""
