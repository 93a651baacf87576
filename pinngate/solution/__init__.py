"""The front door: solve a problem, come back to a run, and ask the answer."""
