from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pinngate.coefficients import Coefficients
from pinngate.networks import Network
from pinngate.residuals import Batch, ResidualModel
from pinngate.risk import RidgeSpectrum


@dataclass(frozen=True)
class GaussNewtonOptions:
    equation_weight: float = 3.0
    condition_weight: float = 5.0
    first_physics_weight: float = 0.05
    ramp: float = 1.3
    ridge: float = 1.0
    ridge_factor: float = 3.0
    damping: float = 1.0
    patience: int = 6
    max_iterations: int = 60
    tolerance: float = 1e-3
    inflation: float = 1.0
    adapt: float = 1.0


def flat(network, coefficients):
    return torch.cat([p.detach().reshape(-1) for p in parameters(network, coefficients)])


def parameters(network, coefficients):
    return [p for layer in network.linears for p in (layer.weight, layer.bias)] + [coefficients.raw]


def assign(network, coefficients, theta):
    at = 0
    with torch.no_grad():
        for p in parameters(network, coefficients):
            p.copy_(theta[at : at + p.numel()].view_as(p))
            at += p.numel()


def jacobian(model, network, coefficients, batches, row_weights):
    """Rows of all terms, physics first, observations last."""
    order = [t for t in model.terms if t.kind != "observation"] + [
        t for t in model.terms if t.kind == "observation"
    ]
    slices, at = {}, 0
    first_eq = next((t.name for t in order if t.kind == "equation"), None)
    for t in order:
        n = len(batches[first_eq if t.kind == "equation" else t.name])
        slices[t.name] = slice(at, at + n)
        at += n
    num_w = network.num_parameters
    dtype, device = network.low.dtype, network.low.device
    J = torch.empty(at, num_w + coefficients.raw.numel(), dtype=dtype, device=device)
    r = torch.empty(at, dtype=dtype, device=device)
    for tile in model.sweep(network, coefficients, batches):

        def mult(e):
            return e.residual.new_full(e.residual.shape, row_weights[e.term.name])

        for e, m, factors in tile.backward(mult):
            begin = slices[e.term.name].start + e.start
            rows = slice(begin, begin + len(m))
            r[rows] = m * e.residual
            column = 0
            for k, (d, a) in enumerate(factors):
                # channels beyond those that this term's tile carries are zero for plain values
                g = torch.bmm(d.permute(1, 2, 0), a.permute(1, 0, 2))
                if k == 0:
                    g = network.hold_periodic(g)
                size = g.shape[1] * g.shape[2]
                J[rows, column : column + size] = g.reshape(len(m), size)
                J[rows, column + size : column + size + g.shape[1]] = d[0]
                column += size + g.shape[1]
            J[rows, column:] = m[:, None] * e.by_coefficient
    return J, r, slices


def residuals(model, network, coefficients, batches, row_weights, slices):
    r = torch.empty(max(s.stop for s in slices.values()), dtype=network.low.dtype)
    for tile in model.sweep(network, coefficients, batches):
        for e in tile.evaluations:
            begin = slices[e.term.name].start + e.start
            r[begin : begin + len(e.residual)] = row_weights[e.term.name] * e.residual
    return r


class PopulationRiskGaussNewton:
    def __init__(self, model, network, coefficients, options=GaussNewtonOptions()):
        self.model, self.network, self.coefficients, self.options = (
            model,
            network,
            coefficients,
            options,
        )
        self.anchor = flat(network, coefficients)
        self.num_w = network.num_parameters
        self.ridge = options.ridge
        self.damping = options.damping
        self.fraction = options.first_physics_weight
        self.iteration = 0
        self.stale = 0
        self.best_risk = math.inf
        self.best_state = None
        self.reason = None

    def weights(self, batches):
        o = self.options
        n_obs = sum(len(batches[t.name]) for t in self.model.terms if t.kind == "observation")
        first_eq = next((t.name for t in self.model.terms if t.kind == "equation"), None)
        W = {}
        for t in self.model.terms:
            if t.kind == "observation":
                W[t.name] = 1.0
            else:
                n = len(batches[first_eq if t.kind == "equation" else t.name])
                base = o.equation_weight if t.kind == "equation" else o.condition_weight
                f = self.fraction if t.kind == "equation" else 1.0
                W[t.name] = base * f * math.sqrt(n_obs / n)
        return W

    def step(self, batches):
        o = self.options
        W = self.weights(batches)
        J, r, slices = jacobian(self.model, self.network, self.coefficients, batches, W)
        obs = slice(
            min(slices[t.name].start for t in self.model.terms if t.kind == "observation"), len(r)
        )
        theta = flat(self.network, self.coefficients)
        nw = self.num_w
        offset = theta[:nw] - self.anchor[:nw]
        b = r - J[:, :nw] @ offset
        S = RidgeSpectrum(J, J.shape[1] - nw, obs)
        grid = [self.ridge * 10 ** (k / 8) for k in range(-24, 25)]
        fits = S.fits(grid, b)
        infl = o.inflation
        score = [
            float((f.residual / (1 - infl * f.leverage).clamp_min(0.02)).square().mean())
            for f in fits
        ]
        j = min(range(len(grid)), key=score.__getitem__)
        target = min(max(grid[j], self.ridge / o.ridge_factor), self.ridge * o.ridge_factor)
        self.ridge = target
        fit = S.fits([target], b)[0]
        lookahead = float(fit.leave_one_out.square().mean())
        actual = r[obs] / (1 - fit.leverage)
        risk = float(actual.square().mean())
        sigma2 = float(r[obs].square().sum()) / (len(actual) - fit.effective_dimension)
        row = dict(
            risk=risk,
            lookahead=lookahead,
            d=fit.effective_dimension,
            ridge=target,
            damping=self.damping,
            fraction=self.fraction,
            sigma=math.sqrt(sigma2),
            loss=float(r.square().sum()),
        )
        for name, s in slices.items():
            row["loss_" + name] = float((r[s] / W[name]).square().mean())
        full = self.fraction >= 1.0
        if full:
            if risk < self.best_risk * (1 - o.tolerance):
                self.stale = 0
            else:
                self.stale += 1
            if risk < self.best_risk:
                self.best_risk = risk
                self.best_state = theta.clone(), target
            if self.stale >= o.patience:
                self.reason = "the leave-one-out risk stopped falling"
        # step
        alpha = target
        f0 = float(r.square().sum() + alpha * offset.square().sum())
        for attempt in range(6):
            beta = alpha + self.damping
            s = -alpha / beta * offset
            v, c = S.minimiser(beta, r + J[:, :nw] @ s, self.damping)
            delta = torch.cat([s + v, c])
            pred = float(
                (r + J @ delta).square().sum() + alpha * (offset + delta[:nw]).square().sum()
            )
            assign(self.network, self.coefficients, theta + delta)
            r1 = residuals(self.model, self.network, self.coefficients, batches, W, slices)
            f1 = float(r1.square().sum() + alpha * (offset + delta[:nw]).square().sum())
            gain = (f0 - f1) / max(f0 - pred, 1e-300)
            if math.isfinite(f1) and f1 < f0:
                if gain > 0.7:
                    self.damping *= 0.3
                elif gain < 0.25:
                    self.damping *= 2
                break
            self.damping *= 4
            assign(self.network, self.coefficients, theta)
        self.damping = max(self.damping, 1e-8)
        row["gain"] = gain
        self.fraction = min(1.0, self.fraction * o.ramp)
        self.iteration += 1
        if self.iteration >= o.max_iterations:
            self.reason = "max"
        return row

    def restore_best(self):
        if self.best_state is not None:
            assign(self.network, self.coefficients, self.best_state[0])
            self.ridge = self.best_state[1]
