"""Benign overfitting and double descent: does the partition foretell the peak and its height?

Values of a smooth function of a few variables are seen with noise at n places and fitted by models
of growing width: random features by gradient flow, and networks with one layer of units by an
arm's own steps. The dissipation Gramian of the very run (`pinngate.theory`) divides the n
directions of the data into signal channel and reservoir and says with M what each moved on the
test places. With s the clean residual before training and t that at the test places, the error on
the clean function is foretold, over noise draws, as

    ‖t − M s‖²/m   +   σ² ‖M P_channel‖²/m   +   σ² ‖M P_reservoir‖²/m,

what is missed of the signal, noise let in through the channel, and noise seen from the reservoir.
No test value and no noise enters M: only inputs, and the path.
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from pinngate.streams import torch_seed
from pinngate.studies.arms import Arm, ArmTraining, check_controls
from pinngate.studies.cells import Cell, Place, Record
from pinngate.studies.double_descent_results import descent_outcome
from pinngate.studies.step_effects import step_metric
from pinngate.studies.study import Study
from pinngate.studies.study_settings import Settings
from pinngate.theory.gramian import FlowResponse, Response
from pinngate.theory.partition import partition
from pinngate.theory.tangent_kernel import module_jacobian

FIRST_LOGGED = 4  # steps, the first piece of the path; the following ones grow with the steps


class FeatureSettings(Settings):
    """Random features: their numbers, and the times of gradient flow."""

    widths: list[int]
    times: list[float]
    seeds: list[int]


class NetworkSettings(Settings):
    """Networks: numbers of units, arms, and how long they train."""

    widths: list[int]
    arms: dict[str, Arm]
    betas: tuple[float, float]
    num_steps: int = Field(gt=0)
    num_logged: int = Field(gt=1)
    seeds: list[int]


class DescentSettings(Settings):
    """Settings of the study; see ``double-descent.yaml``."""

    num_variables: int = Field(gt=0)
    num_data: int = Field(gt=2)
    num_test: int = Field(gt=0)
    noise_std: float = Field(ge=0)
    features: FeatureSettings
    networks: NetworkSettings

    def task(self) -> dict[str, Any]:
        """Return what every cell depends on."""
        return self.model_dump(exclude={"features", "networks"}, mode="json")


def cells(settings: DescentSettings) -> list[Cell]:
    """Return a cell for each draw, and for the networks each arm."""
    task = settings.task()
    features = settings.features.model_dump(exclude={"seeds"}, mode="json")
    networks = settings.networks.model_dump(exclude={"seeds", "arms"}, mode="json")
    found = [
        Cell(f"features-{seed}", {"task": task, "features": features, "seed": seed})
        for seed in settings.features.seeds
    ]
    arms = settings.networks.arms
    check_controls(arms)
    for name, arm in sorted(arms.items(), key=lambda item: item[1].control_of is not None):
        for seed in settings.networks.seeds:
            about = {"task": task, "networks": networks, "arm": arm.model_dump(mode="json")}
            after = None if arm.control_of is None else f"networks-{arm.control_of}-{seed}"
            found.append(Cell(f"networks-{name}-{seed}", about | {"seed": seed}, after))
    return found


class Drawn:
    """Places, the clean function there, and the noise of one draw.

    The function is a wave along one drawn direction and half a step along another, of mean square
    one about.
    """

    def __init__(self, settings: DescentSettings, seed: int) -> None:
        source = torch.Generator().manual_seed(torch_seed(seed, "data"))
        size = (settings.num_data + settings.num_test, settings.num_variables)
        directions = torch.randn(2, settings.num_variables, generator=source, dtype=torch.float64)
        directions = directions / directions.norm(dim=1, keepdim=True)
        places = torch.randn(size, generator=source, dtype=torch.float64)
        along = places @ directions.T
        clean = torch.sin(2 * along[:, 0]) + torch.tanh(2 * along[:, 1])
        self.places, self.test_places = places.split([settings.num_data, settings.num_test])
        self.clean, self.test_clean = clean.split([settings.num_data, settings.num_test])
        noise = torch.randn(settings.num_data, generator=source, dtype=torch.float64)
        self.data = self.clean + settings.noise_std * noise


def measure(settings: DescentSettings, place: Place) -> Record:
    """Fit one draw at every width."""
    about = place.cell.about
    drawn = Drawn(settings, about["seed"])
    if "arm" not in about:
        return {"rows": _feature_rows(settings, drawn, about["seed"])}
    arm = Arm.model_validate(about["arm"])
    state = place.left_state()
    rows: list[dict[str, Any]] = [] if state is None else state["rows"]
    for k, width in enumerate(settings.networks.widths):
        if k < len(rows):
            continue
        rate = 1.0 if place.earlier is None else place.earlier["rows"][k]["mean_gate"]
        job = (about["seed"], width, arm, rate)
        rows.append(_network_row(settings, drawn, job, place.device))
        place.keep_state(lambda: {"rows": rows})
    return {"rows": rows}


def _feature_rows(settings: DescentSettings, drawn: Drawn, seed: int) -> list[dict[str, Any]]:
    """Fit random rectified features from zero by gradient flow, in closed form."""
    source = torch.Generator().manual_seed(torch_seed(seed, "features"))
    most = max(settings.features.widths)
    drawn_weights = torch.randn(
        settings.num_variables + 1, most, generator=source, dtype=torch.float64
    )
    rows = []
    for width in settings.features.widths:
        weights = drawn_weights[:, :width]
        own, test = (
            torch.relu(x @ weights[:-1] + weights[-1]) / width**0.5
            for x in (drawn.places, drawn.test_places)
        )
        for time in settings.features.times:
            flow = FlowResponse(settings.num_data, settings.num_test)
            # loss ‖r‖² = mean square, metric one
            scale = (2 * time) ** 0.5
            flow.advance(own * scale / settings.num_data**0.5, test * scale)
            response = flow.response()
            reached = response.displacement @ (drawn.data / settings.num_data**0.5)
            row = {"model": "features", "time": time, "width": width, "weights": width}
            rows.append(row | _foretold(settings, drawn, response, None, None) | {
                "test_error": float((reached - drawn.test_clean).square().mean()),
            })  # fmt: skip
    return rows


class OneLayer(nn.Module):
    """(N, d) → (N,): units of tanh, and a linear read-out."""

    def __init__(self, num_variables: int, width: int) -> None:
        super().__init__()
        self.units = nn.Linear(num_variables, width)
        self.out = nn.Linear(width, 1)

    def forward(self, places: Tensor) -> Tensor:
        """Return the values (N,)."""
        return self.out(torch.tanh(self.units(places))).squeeze(1)


def _network_row(
    settings: DescentSettings, drawn: Drawn, job: tuple[int, int, Arm, float], device: str
) -> dict[str, Any]:
    """Train one network in full batches, following its path; a job is seed, width, arm and rate."""
    seed, width, arm, mean_rate = job
    torch.manual_seed(torch_seed(seed, "weights"))
    model = OneLayer(settings.num_variables, width).to(device=device, dtype=torch.float64)
    places, test_places = drawn.places.to(device), drawn.test_places.to(device)
    data, stated = drawn.data.to(device), settings.networks
    training = ArmTraining(
        model,
        arm,
        betas=stated.betas,
        batch_size=len(data) - 1,  # α of a full batch is infinite; read by hard and soft alone
        num_examples=len(data),
        mean_rate=mean_rate,
    )
    flow = FlowResponse(settings.num_data, settings.num_test)
    with torch.no_grad():
        start, test_start = model(places).cpu(), model(test_places).cpu()
    last = 0
    for step in _logged(stated.num_steps, stated.num_logged):
        for _ in range(step - last):
            training.step((model(places) - data).square().mean())
        _advance(flow, training, places, test_places, step - last)
        last = step
    training.close()
    with torch.no_grad():
        reached, test_reached = model(places).cpu(), model(test_places).cpu()
    found = _foretold(settings, drawn, flow.response(), start, test_start)
    moved = flow.displacement @ ((start - drawn.data) / settings.num_data**0.5)
    return {
        "model": "networks",
        "width": width,
        "weights": sum(p.numel() for p in model.parameters()),
        **found,
        "test_error": float((test_reached - drawn.test_clean).square().mean()),
        "train_error": float((reached - drawn.data).square().mean()),
        "path_error": float(
            (test_start - moved - test_reached).norm() / (test_reached - test_start).norm()
        ),
        "mean_gate": training.mean_gate,
    }


def _logged(num_steps: int, count: int) -> list[int]:
    """Return the steps at which the path is looked at, evenly in their logarithm."""
    steps = torch.logspace(
        torch.log10(torch.tensor(float(min(FIRST_LOGGED, num_steps)))).item(),
        torch.log10(torch.tensor(float(num_steps))).item(),
        count,
        dtype=torch.float64,
    )
    return sorted({round(step) for step in steps.tolist()})


def _advance(
    flow: FlowResponse, training: ArmTraining, places: Tensor, test_places: Tensor, count: int
) -> None:
    """Go on along the path by `count` steps with the kernel and the metric of the last one."""
    metric = torch.cat([d.reshape(-1) for d in step_metric(training).values()])
    scale = (2 * count * metric).sqrt()
    own = module_jacobian(training.model, places) * scale / len(places) ** 0.5
    flow.advance(own.cpu(), (module_jacobian(training.model, test_places) * scale).cpu())


def _foretold(
    settings: DescentSettings,
    drawn: Drawn,
    response: Response,
    start: Tensor | None,
    test_start: Tensor | None,
) -> dict[str, Any]:
    """Return the three parts of the foretold error, and the partition's figures."""
    found = partition(response, slice(None))
    count = found.num_channel
    # M acts on residuals over √n, whose noise has the variance σ²/n
    seen = found.visibility.square() * settings.noise_std**2 / settings.num_data
    noise_in, noise_hidden = seen[:count].sum(), seen[count:].sum()
    residual = (0.0 if start is None else start) - drawn.clean
    test_residual = (0.0 if test_start is None else test_start) - drawn.test_clean
    missed = test_residual - response.displacement @ (residual / settings.num_data**0.5)
    share = found.channel_share(residual)
    return {
        "channel": count,
        "signal_in_channel": share,
        "missed_signal": float(missed.square().mean()),
        "noise_in_channel": float(noise_in / settings.num_test),
        "noise_in_reservoir": float(noise_hidden / settings.num_test),
    }


STUDY = Study(
    title="Benign overfitting and double descent, with signal channel and reservoir",
    settings=DescentSettings,
    cells=cells,
    measure=measure,
    outcome=descent_outcome,
)
