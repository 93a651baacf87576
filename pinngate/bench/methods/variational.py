"""x"""
VARIATIONAL = []
