"""BibTeX of what a run used."""

from __future__ import annotations

from collections.abc import Iterable

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
    "soap": """@misc{vyas2024soap,
  title = {{SOAP}: Improving and Stabilizing {Shampoo} using {Adam}},
  author = {Vyas, Nikhil and Morwani, Depen and Zhao, Rosie and others},
  year = {2024},
  eprint = {2409.11321},
  archivePrefix = {arXiv}
}""",
    "radau": """@book{hairer1996solving,
  title = {Solving Ordinary Differential Equations {II}: Stiff and Differential-Algebraic Problems},
  author = {Hairer, Ernst and Wanner, Gerhard},
  edition = {2},
  publisher = {Springer},
  year = {1996}
}""",
    "dop853": """@book{hairer1993solving,
  title = {Solving Ordinary Differential Equations {I}: Nonstiff Problems},
  author = {Hairer, Ernst and N{\\o}rsett, Syvert P. and Wanner, Gerhard},
  edition = {2},
  publisher = {Springer},
  year = {1993}
}""",
    "levenberg-marquardt": """@incollection{more1978levenberg,
  title = {The {Levenberg--Marquardt} algorithm: implementation and theory},
  author = {Mor{\\'e}, Jorge J.},
  booktitle = {Numerical Analysis, Dundee 1977},
  publisher = {Springer},
  year = {1978}
}""",
    "splines": """@book{wahba1990spline,
  title = {Spline Models for Observational Data},
  author = {Wahba, Grace},
  publisher = {SIAM},
  year = {1990}
}""",
    "stencils": """@article{fornberg1988generation,
  title = {Generation of finite difference formulas on arbitrarily spaced grids},
  author = {Fornberg, Bengt},
  journal = {Mathematics of Computation},
  volume = {51},
  pages = {699},
  year = {1988}
}""",
    "etdrk4": """@article{kassam2005fourth,
  title = {Fourth-order time-stepping for stiff {PDEs}},
  author = {Kassam, Aly-Khan and Trefethen, Lloyd N.},
  journal = {SIAM Journal on Scientific Computing},
  volume = {26},
  pages = {1214},
  year = {2005}
}""",
    "cole": """@article{cole1951quasilinear,
  title = {On a quasi-linear parabolic equation occurring in aerodynamics},
  author = {Cole, Julian D.},
  journal = {Quarterly of Applied Mathematics},
  volume = {9},
  pages = {225},
  year = {1951}
}""",
    "hopf": """@article{hopf1950partial,
  title = {The partial differential equation $u_t + u u_x = \\mu u_{xx}$},
  author = {Hopf, Eberhard},
  journal = {Communications on Pure and Applied Mathematics},
  volume = {3},
  pages = {201},
  year = {1950}
}""",
    "numpy": """@article{harris2020array,
  title = {Array programming with {NumPy}},
  author = {Harris, Charles R. and Millman, K. Jarrod and van der Walt, St{\\'e}fan J. and others},
  journal = {Nature},
  volume = {585},
  pages = {357},
  year = {2020}
}""",
    "scipy": """@article{virtanen2020scipy,
  title = {{SciPy} 1.0: fundamental algorithms for scientific computing in {Python}},
  author = {Virtanen, Pauli and Gommers, Ralf and Oliphant, Travis E. and others},
  journal = {Nature Methods},
  volume = {17},
  pages = {261},
  year = {2020}
}""",
    "matplotlib": """@article{hunter2007matplotlib,
  title = {Matplotlib: A {2D} graphics environment},
  author = {Hunter, John D.},
  journal = {Computing in Science \\& Engineering},
  volume = {9},
  pages = {90},
  year = {2007}
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
    return entries(keys)


def entries(keys: Iterable[str]) -> str:
    """Return the BibTeX entries of some keys, each once."""
    return "\n\n".join(ENTRIES[key] for key in dict.fromkeys(keys))
