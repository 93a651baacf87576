"""x"""
PIPELINES = []
