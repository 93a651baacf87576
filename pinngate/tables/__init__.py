"""Columns of numbers by name: from files of every kind and from memory, however large."""
