"""For any training loop in torch: per-example gradient statistics, and the optimizer they serve.

    optimizer = PopulationRiskAdam(model.parameters(), variance="per-point")
    examples = PerExample(model)
    loss(model(x), y).backward()
    optimizer.attach_variance(examples.take().variance_of_gradient)
    optimizer.step()

A part of its own: it imports torch and nothing else, and nothing of the differential equations.
"""

from pinngate.optim.gates import averaging_factor, finite_sample_threshold
from pinngate.optim.population_risk_adam import PopulationRiskAdam
from pinngate.torch.example_moments import ExampleMoments
from pinngate.torch.per_example import PerExample

__all__ = [
    "ExampleMoments",
    "PerExample",
    "PopulationRiskAdam",
    "averaging_factor",
    "finite_sample_threshold",
]
