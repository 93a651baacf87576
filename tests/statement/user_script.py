"""What a user writes: a problem in Python with every kind of argument; typed, and it runs."""

from __future__ import annotations

import numpy as np

import pinngate

rng = np.random.default_rng(0)
points = rng.random((40, 2))
values = np.exp(-points[:, 1]) * np.sin(np.pi * points[:, 0]) + 0.1 * rng.standard_normal(40)

problem = pinngate.Problem(
    domain={"x": (0, 1), "t": (0, 1)},
    unknowns=["u"],
    equations=["u_t = k*u_xx"],
    estimate={"k": pinngate.Unknown(initial=0.1, positive=True)},
    conditions=["u = 0 at x = 0", {"where": "x = 1", "equation": "u = 0"}],
    observations=[pinngate.Observations("u", points, values, std=0.1)],
    units={"x": "m", "t": "s"},
    solve={"iterations": 2, "collocation": 32, "network": {"width": 8, "depth": 1}},
)

columns = {"x": points[:, 0], "t": points[:, 1], "u": values, "flux": -values}
observed = [
    pinngate.Observations("u", columns, holdout=0.2, max_rows=30),
    pinngate.Observations("-0.1*u_x", columns, "flux", noise={"relative": 0.05}),
    pinngate.Observations("u", points.tolist(), values.tolist(), std=[0.1] * 40),
    pinngate.Observations("u", [0.1, 0.9], [1.0, 0.5], mean={"over": "x"}),
    pinngate.Observations.synthetic("u", count=9, where="t = 0", noise={"std": 0.3}),
]
other = pinngate.Problem(
    name="other",
    domain={"x": [0, "pi"], "t": (0, 1.0)},
    unknowns=("u",),
    equations=("u_t = a*u_xx + source",),
    constants={"source": 1, "length": "2*pi"},
    estimate={"a": 0.5},
    conditions=["periodic in x"],
    observations=[*observed, {"of": "u", "count": 4, "noise": {"std": 0.1}}],
    truth={"u": "exp(-t)*sin(2*x)"},
)


def is_stated(stated: pinngate.Problem) -> bool:
    return stated.unknowns == ("u",) and len(pinngate.dumps(pinngate.load("heat-noisy-ic"))) > 0


if __name__ == "__main__":
    assert is_stated(problem)
    assert is_stated(other)
    solution = pinngate.solve(problem)
    assert np.isfinite(solution(points)["u"]).all()
