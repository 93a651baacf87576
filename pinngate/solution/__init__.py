"""The front door: solve a problem, come back to a run, and ask the answer."""

from pinngate.solution.candidate_runs import choose
from pinngate.solution.choice import Choice
from pinngate.solution.designing import design
from pinngate.solution.folders import load_solution, predict, predict_file, predict_grid
from pinngate.solution.solved import Solution
from pinngate.solution.solving import default_folder, resume, run, solve

__all__ = [
    "Choice",
    "Solution",
    "choose",
    "default_folder",
    "design",
    "load_solution",
    "predict",
    "predict_file",
    "predict_grid",
    "resume",
    "run",
    "solve",
]
