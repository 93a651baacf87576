"""The checks that a statement passes, whether it comes from a file or from Python.

A `source` is a tree with places, read from YAML by `config` or from arguments by `python_source`;
`short_forms` writes it out, `validation` holds it against the `schema`, `building` makes a
`Statement` of it.
"""
