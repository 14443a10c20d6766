"""What steering maps do: behaviour against utility, at several strengths, method by method.

    rate      share of held-out prompts whose continuation shows the source behaviour
    neutral   nats a token of unrelated texts in the steered model (utility)
    fluency   nats a token of what it wrote, in the model as it is: degenerate text is no success
    distinct  share of different word pairs in what it wrote

All methods are fitted on the same texts at the same sites. Beside LinEAS (dense, and sparse) stand
mean shift, Gaussian, a probe's direction, linear AcT (layer by layer and at once), an instruction
in front where the model can read one, and LinEAS fitted on shuffled labels. Source: paper 19,
sections 3 and 6 of our sheet.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from scrubjay.core.finding import Finding
from scrubjay.core.progress import Progress, silent
from scrubjay.core.randomness import stream
from scrubjay.probing.anatomy import Anatomy
from scrubjay.probing.continuing import continued, encoded, nats
from scrubjay.probing.errors import ProbeError
from scrubjay.probing.intervals import bootstrap
from scrubjay.probing.lineas import LinEAS, default_sites, distances, fit_lineas
from scrubjay.probing.open import OpenModel
from scrubjay.probing.pooled import whole_sites
from scrubjay.probing.sites import Site
from scrubjay.probing.steering_baselines import (
    fit_classifier_shift,
    fit_gaussian,
    fit_linear_act,
    fit_mean_shift,
)
from scrubjay.probing.steering_maps import SteeringMaps
from scrubjay.worlds.behaviours import BEHAVIOURS, Behaviour


@dataclass(frozen=True, slots=True)
class Effect:
    """One method at one strength."""

    method: str
    strength: float
    shows: tuple[float, ...]
    """Of each prompt, 1 or 0."""
    neutral: tuple[float, ...]
    """Of each neutral text."""
    fluency: float
    distinct: float
    share: float
    """Of coordinates that the maps change."""

    @property
    def rate(self) -> float:
        return sum(self.shows) / len(self.shows)

    @property
    def loss(self) -> float:
        """Mean of ``neutral``."""
        return sum(self.neutral) / len(self.neutral)


@dataclass(frozen=True)
class SteeringEffect:
    """The instrument; see the top of this file."""

    about: ClassVar[str] = "steering maps (LinEAS and simpler ones): behaviour, utility, layers"

    behaviour: str = "guessing"
    texts: int = 12
    """Of each side."""
    prompts: int = 16
    tokens: int = 8
    """Of each continuation."""
    steps: int = 20
    """Of LinEAS. Few, so that SmolLM2 takes minutes; the paper takes 1,000."""
    rate: float = 0.1
    sparsity: Sequence[float] = ()
    """γ of the sparse fits."""
    strengths: Sequence[float] = (0.5, 1.0)
    sites: Sequence[str] = ()
    """Where maps stand; empty: what attention and MLP of every layer add to the stream."""
    baselines: bool = True
    seed: int = 0

    def measure(
        self,
        model: OpenModel,
        data: Behaviour | None = None,
        *,
        progress: Progress = silent,
    ) -> Finding:
        """Fit every method, and look at what it does.

        Args:
            data: a behaviour of one's own.

        Raises:
            ProbeError: there is no such behaviour, a text is too short or too long, or an
                activation isn't finite.
        """
        began = time.perf_counter()
        told = self.task() if data is None else data
        fits = self.fit(model, told, progress)
        found = self.effects(model, told, fits, progress)
        layers = self.layers(model, told, fits)
        numbers = {}
        for e in found:
            name = e.method if e.strength in (0, 1) else f"{e.method}, strength {e.strength}"
            numbers[f"rate, {name}"] = bootstrap(e.shows, _mean, seed=self.seed)
            numbers[f"neutral nats, {name}"] = bootstrap(e.neutral, _mean, seed=self.seed)
        rows = [_row(e) for e in found]
        return Finding(
            "lineas",
            numbers,
            tables={"Methods": rows, "Distance by site": layers},
            figure=_figure(rows),
            settings=asdict(self) | {"behaviour": told.name},
            seconds=round(time.perf_counter() - began, 1),
            notes=_unmoved(found, told.name),
        )

    def task(self) -> Behaviour:
        """The behaviour that the settings name.

        Raises:
            ProbeError: there is none, or too few texts are asked for.
        """
        if self.behaviour not in BEHAVIOURS:
            raise ProbeError(
                f"there is no behaviour '{self.behaviour}'; known: {', '.join(BEHAVIOURS)}"
            )
        if min(self.texts, self.prompts, self.tokens) < 2:
            raise ProbeError("steering needs at least 2 texts, prompts and tokens")
        return BEHAVIOURS[self.behaviour](self.texts, self.prompts, self.seed)

    def fit(
        self, model: OpenModel, told: Behaviour, progress: Progress = silent
    ) -> dict[str, SteeringMaps]:
        """Method → its maps."""
        x, y = (encoded(model, t) for t in (told.source, told.target))
        mixed = [*x, *y]
        stream(self.seed, "shuffled sides").shuffle(mixed)
        total = self.steps * (2 + len(self.sparsity))
        sites = self._sites(model)
        before = 0

        def learned(a: Any, b: Any, gamma: float = 0.0) -> SteeringMaps:
            nonlocal before
            start, before = before, before + self.steps
            how = LinEAS(self.steps, self.rate, gamma)
            return fit_lineas(
                model.model,
                a,
                b,
                sites,
                how,
                look=lambda d, _: progress("fitting", start + d, total),
            )

        fits = {"lineas": learned(x, y)}
        for gamma in self.sparsity:
            fits[f"lineas, sparsity {gamma}"] = learned(x, y, gamma)
        if self.baselines:
            fits["linear act"] = fit_linear_act(model.model, x, y, sites)
            fits["linear act, at once"] = fit_linear_act(
                model.model, x, y, sites, incremental=False
            )
            fits["mean shift"] = fit_mean_shift(model.model, x, y, sites)
            fits["gaussian"] = fit_gaussian(model.model, x, y, sites)
            fits["classifier shift"] = fit_classifier_shift(model.model, x, y, sites)
            fits["lineas, shuffled"] = learned(mixed[: len(x)], mixed[len(x) :])
        return fits

    def _sites(self, model: OpenModel) -> tuple[Site, ...]:
        anatomy = Anatomy.of(model.model)
        return whole_sites(anatomy, self.sites) if self.sites else default_sites(anatomy)

    def effects(
        self,
        model: OpenModel,
        told: Behaviour,
        fits: Mapping[str, SteeringMaps],
        progress: Progress = silent,
    ) -> list[Effect]:
        """Every method at every strength, after the model as it is."""
        jobs: list[tuple[str, float, SteeringMaps | None, str]] = [("none", 0.0, None, "")]
        if told.instruction:
            jobs.append(("instruction", 1.0, None, told.instruction))
        jobs += [(name, s, maps, "") for name, maps in fits.items() for s in self.strengths]
        found = []
        for done, (name, strength, maps, front) in enumerate(jobs):
            progress("continuing", done, len(jobs))
            with maps.applied(model.model, strength) if maps else nullcontext():
                asked = encoded(model, [front + p for p in told.prompts])
                written = continued(model, asked, self.tokens)
                neutral = nats(model, encoded(model, told.neutral))
            whole = [[*p, *w] for p, w in zip(asked, written, strict=True)]
            fluency = sum(nats(model, whole, begin=[len(p) for p in asked])) / len(whole)
            said = model.tokenizer.batch_decode(written, skip_special_tokens=True)
            shows = tuple(float(told.shows(s)) for s in said)
            share = maps.share if maps else 0.0
            found.append(
                Effect(name, strength, shows, tuple(neutral), fluency, _distinct(said), share)
            )
        return found

    def layers(
        self, model: OpenModel, told: Behaviour, fits: Mapping[str, SteeringMaps]
    ) -> list[dict[str, Any]]:
        """The distance that is left at each site, on the texts of the fit."""
        x, y = (encoded(model, t) for t in (told.source, told.target))
        sites = self._sites(model)
        chosen: dict[str, SteeringMaps | None] = {"none": None}
        chosen |= {n: m for n, m in fits.items() if n in ("lineas", "linear act", "mean shift")}
        left = {n: distances(model.model, x, y, sites, m) for n, m in chosen.items()}
        return [{"site": str(s), **{n: left[n][s] for n in left}} for s in sites]


def _distinct(said: Sequence[str]) -> float:
    pairs = [p for s in said for p in zip(s.split(), s.split()[1:])]
    return len(set(pairs)) / max(1, len(pairs))


def _mean(x: Any) -> float:
    return float(x.mean())


def _row(e: Effect) -> dict[str, Any]:
    return {
        "method": e.method,
        "strength": e.strength,
        "rate": e.rate,
        "neutral": e.loss,
        "fluency": e.fluency,
        "distinct": e.distinct,
        "changed": e.share,
    }


def _unmoved(found: Sequence[Effect], behaviour: str) -> tuple[str, ...]:
    """A sentence where no method did anything."""
    rates = {e.rate for e in found}
    if len(rates) > 1:
        return ()
    return (
        f"Nothing moves the behaviour '{behaviour}' of this model at these settings: with every "
        f"method, and with none, {rates.pop():.0%} of the prompts show it.",
    )


def _figure(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": list(rows)},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {
                "field": "neutral",
                "type": "quantitative",
                "scale": {"zero": False},
                "title": "nats a token of unrelated texts",
            },
            "y": {
                "field": "rate",
                "type": "quantitative",
                "scale": {"domain": [0, 1]},
                "title": "share of prompts that show the behaviour",
            },
            "color": {"field": "method", "type": "nominal"},
            "order": {"field": "strength"},
        },
    }
