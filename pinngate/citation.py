"""BibTeX of what a run used."""

from __future__ import annotations

ENTRIES = {
    "pinngate": """@software{pinngate,
  title = {pinngate: partial differential equations from noisy observations},
  author = {{The pinngate authors}},
  year = {2026},
  license = {MIT}
}""",
    "population-risk": """@misc{litman2026population,
  title = {Population-risk gating of stochastic gradients},
  author = {Litman and Guo},
  year = {2026},
  eprint = {2605.01172},
  archivePrefix = {arXiv}
}""",
    "m-svag": """@misc{balles2017dissecting,
  title = {Dissecting {Adam}: The Sign, Magnitude and Variance of Stochastic Gradients},
  author = {Balles, Lukas and Hennig, Philipp},
  year = {2017},
  eprint = {1705.07774},
  archivePrefix = {arXiv}
}""",
    "adam": """@misc{kingma2014adam,
  title = {Adam: A Method for Stochastic Optimization},
  author = {Kingma, Diederik P. and Ba, Jimmy},
  year = {2014},
  eprint = {1412.6980},
  archivePrefix = {arXiv}
}""",
    "adamw": """@misc{loshchilov2017decoupled,
  title = {Decoupled Weight Decay Regularization},
  author = {Loshchilov, Ilya and Hutter, Frank},
  year = {2017},
  eprint = {1711.05101},
  archivePrefix = {arXiv}
}""",
    "features": """@misc{tancik2020fourier,
  title = {Fourier Features Let Networks Learn High Frequency Functions in Low Dimensional Domains},
  author = {Tancik, Matthew and Srinivasan, Pratul P. and Mildenhall, Ben and others},
  year = {2020},
  eprint = {2006.10739},
  archivePrefix = {arXiv}
}""",
    "torch": """@misc{paszke2019pytorch,
  title = {{PyTorch}: An Imperative Style, High-Performance Deep Learning Library},
  author = {Paszke, Adam and Gross, Sam and Massa, Francisco and others},
  year = {2019},
  eprint = {1912.01703},
  archivePrefix = {arXiv}
}""",
}

USED_BY = {
    "population-risk-gauss-newton": ("population-risk",),
    "population-risk-adam": ("population-risk", "m-svag", "adam"),
    "adam": ("adam",),
    "adamw": ("adam", "adamw"),
}


def citation(optimizer: str | None = None) -> str:
    """Return BibTeX entries: of one optimizer and what every run uses, or all of them."""
    keys = ENTRIES if optimizer is None else ("pinngate", *USED_BY[optimizer], "features", "torch")
    return "\n\n".join(ENTRIES[key] for key in keys)
