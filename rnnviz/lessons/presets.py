"""The first things to look at: settings with a short story and a claim that the runs must keep."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rnnviz.experiments.comparison import Comparison, Run
from rnnviz.experiments.config import Config
from rnnviz.experiments.knobs import knobs

Runs = tuple[Run, ...]
START = MappingProxyType({"weight_scale": 1.1})  # where the page starts, when it is not the default of a field
SUNSPOT_CYCLE = 11


@dataclass(frozen=True)
class Preset:
    """A picture worth opening.

    Attributes:
        name: the word in links.
        label: the words on the screen.
        settings: fields of `Comparison`, `Config` and `View` that differ from where the page starts.
        story: what to look at, why it is so, and in the last sentence one thing to do next.
        then: the settings that the last sentence asks for, on top of `settings`; they break the claim.
        claim: what the picture shows, in a sentence.
        holds: whether the runs of these cells, in this order, keep the claim.
    """

    name: str
    label: str
    settings: Mapping[str, Any]
    story: str
    then: Mapping[str, Any]
    claim: str
    holds: Callable[[Runs], bool]


def preset_runs(preset: Preset, **changes: Any) -> Runs:
    """The compared runs of a preset, each computed when it is first looked at.

    Args:
        preset: a value of `PRESETS`.
        changes: settings that take the place of the preset's, such as a seed.

    >>> preset = PRESETS["it-fades"]
    >>> preset.holds(preset_runs(preset)), preset.holds(preset_runs(preset, **preset.then))
    (True, False)
    """
    settings = {**START, **preset.settings, **changes}
    comparison, config = (
        family(**{name: settings[name] for name in knobs(family) if name in settings})
        for family in (Comparison, Config)
    )
    return comparison.runs(config)


def _decades(runs: Runs) -> list[float]:
    """Powers of ten between the loss and the furthest step: negative where the gradient fades."""
    return [run.flow.verdict.decades for run in runs]


def _it_fades(runs: Runs) -> bool:
    tanh, lstm, linear = _decades(runs)
    return tanh < linear < -9 and abs(lstm) < 2


def _it_explodes(runs: Runs) -> bool:
    tanh, lstm, gru = _decades(runs)
    return tanh > 15 and min(lstm, gru) > 3 and all(abs(run.flow.hidden).max() <= 1 for run in runs)


def _edge(runs: Runs) -> bool:
    (tanh,) = _decades(runs)
    return abs(tanh) < 1


def _immune(runs: Runs) -> bool:
    tanh, lstm, lstm_1, lstm_3 = _decades(runs)
    return tanh < -15 and lstm < -15 and -12 < lstm_1 < -5 and lstm_3 > -2.5


def _gru(runs: Runs) -> bool:
    tanh, gru, gru_3 = _decades(runs)
    return gru < -10 < -6 < tanh < gru_3 < 0 and gru_3 > -2


def _identity(runs: Runs) -> bool:
    relu, linear, tanh = _decades(runs)
    return -2 < relu <= 0.01 and abs(linear) < 1e-9 and tanh < relu


def _orthogonal(runs: Runs) -> bool:
    linear, tanh, relu = _decades(runs)
    return abs(linear) < 1e-9 and relu < tanh < -5


def _two_directions(runs: Runs) -> bool:
    (run,) = runs
    forward, backward = run.flow.profile
    steps = run.flow.steps
    return bool(forward[1] - forward[steps] < -5 and backward[steps - 1] - backward[0] < -5)


def _every_step(runs: Runs) -> bool:
    tanh, lstm = runs
    neither_falls = min(_decades(runs)) > -1
    return bool(neither_falls and tanh.itemised.reach()[50] < -15 and lstm.itemised.reach()[50] > -2.5)


def _sunspots(runs: Runs) -> bool:
    *plain, lstm_3 = (run.flow.verdict.memory_horizon for run in runs)
    return max(plain) <= SUNSPOT_CYCLE and lstm_3 > 5 * SUNSPOT_CYCLE


def _words(runs: Runs) -> bool:
    tanh, lstm, gru, lstm_3 = _decades(runs)
    return max(lstm, gru) < -4 and min(tanh, lstm_3) > -2


def _eigenvalues(runs: Runs) -> bool:
    linear, _, relu = runs
    on_its_way = linear.flow.profile[0][1:]
    rises_first = on_its_way.max() - on_its_way[-1] > 0.25
    return bool(rises_first and linear.flow.verdict.decades < -2 and relu.flow.verdict.decades > 2)


def _clipping(runs: Runs) -> bool:
    (run,) = runs
    limit = 1e-9  # log10 of the threshold, 1, and its rounding
    bounded = run.flow.log10_norm.max() <= limit
    return bool(bounded and run.unclipped.profile[0, 1] - run.flow.profile[0, 1] > 8)


TABLE = (
    Preset(
        "it-fades",
        "It fades",
        {"weight_scale": 0.8},
        "Read the curves from the loss at the right to the left, the way the gradient travels: a line that falls "
        "is vanishing. At every step back the recurrent matrix shrinks the gradient to 0.8 of its length, so the "
        "linear network has 0.8⁹⁹ = 3·10⁻¹⁰ of it left at step 1; the slopes of the tanh, never above 1, take the "
        "RNN down to 1·10⁻¹⁴. The LSTM holds its size, because its forget gates, with a bias of 3, are 0.95 open on "
        "average and hand the cell's gradient on almost whole. Drag the weight scale to 1.5: the linear network "
        "and, more slowly, the RNN grow instead.",
        {"weight_scale": 1.5},
        "The RNN fades faster than the linear network, while an LSTM with forget bias 3 stays within a factor of 100.",
        _it_fades,
    ),
    Preset(
        "it-explodes",
        "It explodes",
        {"cells": ("rnn", "lstm", "gru"), "weight_scale": 5.0, "hidden_size": 128},
        "No hidden state leaves the range from -1 to 1, yet the RNN's gradient grows 1.7-fold at every step back "
        "and is 2·10²² times as large at step 1: bounded states say nothing about the gradient. Most units are "
        "nearly saturated and pass little of it, but the matrix stretches fivefold what does pass, and the stretch "
        "wins. The LSTM and the GRU explode too, because the way back through their gates leads through the same "
        "large weights. Drag the weight scale to 2: the LSTM and the GRU no longer explode, the RNN still does.",
        {"weight_scale": 2.0},
        "With large weights RNN, LSTM and GRU all explode, although no state leaves the range from -1 to 1.",
        _it_explodes,
    ),
    Preset(
        "edge-of-chaos",
        "Edge of chaos",
        {"cells": ("rnn",), "weight_scale": 1.2, "hidden_size": 128},
        "Here the matrix stretches the gradient about as much as the tanh's slopes shrink it, so that the curve "
        "stays level over 99 steps. At a weight scale of 1 it would fall to 2·10⁻⁴, at 1.5 grow 330-fold: the "
        "level stretch between is narrow. This critical scale is above 1 because input and biases push the "
        "tanh off its steep middle, and a stronger input pushes further. Set the input scale to 3: the same "
        "weights now let the gradient fade.",
        {"input_scale": 3.0},
        "At its critical weight scale a tanh RNN keeps the gradient within a factor of 10 over 99 steps.",
        _edge,
    ),
    Preset(
        "is-the-lstm-immune",
        "Is the LSTM immune?",
        {"cells": ("rnn", "lstm", "lstm_1", "lstm_3"), "initialisation": "uniform", "weight_scale": 1.0},
        "As PyTorch initialises it, nn.LSTM fades almost like the plain RNN: step 1 gets 8·10⁻¹⁹ of the signal, "
        "and 1·10⁻²⁴ in the RNN. Its forget gates are about 0.5 open, so that the cell's own path loses half of "
        "the gradient at every step. The forget bias decides: with 1 the gates are 0.73 open and step 1 gets "
        "8·10⁻⁹, with 3 they are 0.95 open and it gets 0.26. Set the chrono initialisation to 100: the LSTM "
        "without a bias of its own now remembers, too.",
        {"chrono": 100.0},
        "PyTorch's default LSTM loses more than 15 powers of ten in 100 steps, as the RNN does; one with forget "
        "bias 3 loses less than three.",
        _immune,
    ),
    Preset(
        "gru",
        "GRU",
        {"cells": ("rnn", "gru", "gru_3")},
        "The GRU's update gate says how much of the old state stays; in PyTorch a gate at 1 keeps all of it. "
        "Without a bias the gates are about 0.5 open, and the gradient keeps 0.75 a step: the GRU fades faster "
        "than the plain RNN, which keeps 0.91. An update bias of 3 holds the gates at 0.95 and keeps 0.97 a step. "
        "Set the forget/update-gate bias to 5: the plain GRU holds its size as well.",
        {"gate_bias": 5.0},
        "A GRU without an update bias fades faster than a plain RNN; with update bias 3 it loses less than two "
        "powers of ten.",
        _gru,
    ),
    Preset(
        "relu-with-identity",
        "ReLU with identity",
        {
            "cells": ("relu", "linear", "rnn"),
            "initialisation": "identity",
            "weight_scale": 1.0,
            "hidden_size": 128,
            "input_size": 16,
        },
        "With the unit matrix in the recurrence every unit sums up its input, and a ReLU that is on passes the "
        "gradient with a factor of exactly 1: the IRNN of Le, Jaitly and Hinton (2015). A unit whose sum falls "
        "to 0 passes nothing at that step; 12 of the 128 units are on at every step after the first, and "
        "they alone carry the gradient back to step 1. The tanh starts from the same matrix, and its slopes leave it "
        "0.89 a step. Drag the weight scale to 1.1: every unit that stays on now multiplies by 1.1 a step, and "
        "the gradient explodes.",
        {"weight_scale": 1.1},
        "A ReLU network that starts from the identity keeps more than 1 % of the gradient over 99 steps, and more "
        "than a tanh network does.",
        _identity,
    ),
    Preset(
        "orthogonal-is-not-enough",
        "Orthogonal is not enough",
        {"cells": ("linear", "rnn", "relu"), "weight_scale": 1.0},
        "An orthogonal matrix keeps every length, so the linear network hands its gradient back exactly whole, "
        "over any number of steps. The slope of a tanh is 1 only at 0: the RNN keeps 0.86 a step, and 3·10⁻⁷ "
        "after 99 of them. A ReLU's slope is 1 or 0, here about half of each, and that costs more still. Drag "
        "the weight scale to 1.2: the linear network explodes while the RNN still fades.",
        {"weight_scale": 1.2},
        "Under an orthogonal matrix the linear network keeps its gradient exactly, while tanh and ReLU lose more "
        "than five powers of ten.",
        _orthogonal,
    ),
    Preset(
        "two-directions",
        "Two directions",
        {"cells": ("birnn",), "weight_scale": 0.8, "length": 50},
        "One chain reads forwards and one backwards, and the head reads the final state of each: at step 50 of "
        "the forward chain, at step 1 of the backward one. From there each gradient travels against its chain's "
        "reading direction and keeps 0.72 a step, so that the two curves fade towards opposite ends. Let the "
        "head read the output at the last step: the backward chain has seen one input there, and its states at "
        "the other 49 steps get exactly nothing.",
        {"head": "last_output"},
        "The forward chain's gradient fades towards the first step, the backward chain's towards the last, both by "
        "more than five powers of ten.",
        _two_directions,
    ),
    Preset(
        "loss-at-every-step",
        "Loss at every step",
        {"cells": ("rnn", "lstm_3"), "loss": "every", "weight_scale": 0.5},
        "Neither curve falls, because each step's own loss adds new gradient and what you see is the sum of all "
        "losses. The map of itemised gradients takes it apart: of one step's loss the RNN keeps 5·10⁻⁴ after 10 "
        "steps and 3·10⁻¹⁷ after 50, a thin band, and the LSTM 0.03 after 50. So a curve that does not fall does "
        "not mean that anything travels far. Set the loss to the last step: without the refills the RNN's curve "
        "falls.",
        {"loss": "last"},
        "No total falls by more than a factor of 10, though one loss of the RNN keeps less than 10⁻¹⁵ after 50 steps.",
        _every_step,
    ),
    Preset(
        "a-sunspot-record",
        "A sunspot record",
        {
            "cells": ("rnn", "gru", "lstm", "lstm_3"),
            "signal": "sunspots",
            "length": 200,
            "initialisation": "uniform",
            "weight_scale": 1.0,
        },
        "A real series: yearly sunspot numbers from 1700 to 1899, which swing with a cycle of about 11 years. As "
        "PyTorch initialises them, RNN, GRU and LSTM (its h and c together) keep 1 % of the gradient for 6, 9 and 7 "
        "years, so that the loss hardly reaches back over one cycle. The LSTM with forget bias 3 keeps 0.11 of it over "
        "all 199 steps, 18 cycles. Drag the weight scale to 1.5: the RNN reaches back 16 years, which is one cycle but "
        "not two.",
        {"weight_scale": 1.5},
        "PyTorch's default RNN, GRU and LSTM keep 1 % of the gradient for no longer than one sunspot cycle; an "
        "LSTM with forget bias 3 keeps it over five.",
        _sunspots,
    ),
    Preset(
        "your-own-words",
        "Your own words",
        {"cells": ("rnn", "lstm", "gru", "lstm_3"), "signal": "text"},
        "Each step reads one of 40 characters, and the loss stands after the last. The gates of the plain LSTM and "
        "GRU are about half open, and the gradient keeps 0.72 and 0.75 a character: the first one gets 2·10⁻⁶ and "
        "1·10⁻⁵ of the signal. The RNN at this weight scale and the LSTM with forget bias 3 still feel it, with "
        "0.2 and 0.55. Now try your text, first a short one such as “to be”: over 5 characters nothing has the time "
        "to fade far.",
        {"text": "to be"},
        "After 40 characters the plain LSTM and GRU have less than 10⁻⁴ of the gradient left for the first one; "
        "the RNN and the LSTM with forget bias 3 more than 1 %.",
        _words,
    ),
    Preset(
        "the-eigenvalue-rule-fails",
        "The eigenvalue rule fails",
        {
            "cells": ("linear", "rnn", "relu"),
            "initialisation": "nonnormal",
            "weight_scale": 0.8,
            "length": 50,
            "overlays": ("bound",),
        },
        "All three share a matrix whose eigenvalues are all 0.8, and the rule of thumb says that they vanish. Yet "
        "the linear network's gradient first grows 2.6-fold before it fades, and the ReLU's explodes, 440,000-fold: "
        "its zeros break up the matrix at every step, and the eigenvalues of a product are not the products of "
        "eigenvalues. The largest singular value, 1.93, does give a rule, the bound (γ σ_max)ᵏ, which no curve "
        "crosses. Set the initialisation to orthogonal: the eigenvalues have the same size, and all three fade.",
        {"initialisation": "orthogonal"},
        "With every eigenvalue at 0.8 the linear network's gradient grows before it fades, and the ReLU's explodes.",
        _eigenvalues,
    ),
    Preset(
        "what-clipping-changes",
        "What clipping changes",
        {"cells": ("rnn",), "weight_scale": 3.0, "clip": "hidden_norm"},
        "Clipping the signal cuts ∂L/∂h_t back to a norm of 1 at every step on the way, so that the curve is "
        "level where it would have reached 1·10¹¹. What arrives is then no longer the gradient of the loss; and "
        "since clipping never enlarges anything, it cannot help a gradient that vanishes. Clipping the parameters' "
        "gradient, as clip_grad_norm_ does, happens after the sweep. Set the clipping to norm, after the sweep: "
        "the curve climbs as if nothing were clipped, and only the finished gradient has a norm of 1.",
        {"clip": "norm"},
        "Signal clipping holds the gradient at or below its threshold at every step, where it would have grown by "
        "more than eight powers of ten.",
        _clipping,
    ),
)

PRESETS = MappingProxyType({preset.name: preset for preset in TABLE})
