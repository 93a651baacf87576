"""Domains that are no boxes: shapes, what is inside them and the parts of their boundary.

`shapes` states a geometry as a problem does, without any computation; `region` samples it through
DeepXDE's primitive shapes, which `isolation` loads without their side effects. Only points change:
networks stay on the bounding box, and every optimizer works as before.
"""
