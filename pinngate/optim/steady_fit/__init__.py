"""Least squares through elements: steady problems on one or two axes of a box.

`weak_form` (equations as fluxes and sources), `element_grid` (nodes, elements, sides),
`placed_values` (what is unknown at elements), `integrands` and `held_nodes` (its parts),
`element_system` (residuals and exact derivatives), `steady_model` (θ ↦ field and readings),
`steady_search` (least squares, on finer grids until nothing moves), `sampled_posterior` (what the
linear model does not say of many numbers), `through_elements` (the front door).
"""
