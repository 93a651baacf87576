"""Collocation on tensor bases: continuation to exact physics and to the resolution it takes."""
