"""The paper's other experiments, each one command that reruns and resumes: `pinngate study NAME`.

The studies train by `pinngate.torch` and nothing else of the package; what is here besides are
settings, records of finished cells, figures and pages.
"""
