import numpy as np
import pytest

import rnnviz
from rnnviz import ConfigError, SignalClip, Truncation
from rnnviz.core.signal import SIGNAL_CLIPS, TRUNCATIONS
from tests.support import NONSENSE, assert_clear, random_network, random_question, refusal


@pytest.mark.parametrize("kind", SIGNAL_CLIPS)
def test_a_clip_that_is_never_reached_changes_nothing(kind):
    network = random_network("lstm")
    question = random_question(network, steps=6)
    clipped = rnnviz.bptt(network, *question, signal_clip=SignalClip(kind, 1e6))
    plain = rnnviz.bptt(network, *question)
    np.testing.assert_allclose(clipped.adjoint, plain.adjoint, rtol=1e-14)


@pytest.mark.parametrize("kind", TRUNCATIONS)
def test_a_reach_beyond_the_sequence_changes_nothing(kind):
    network = random_network("gru", layers=2, directions=2)
    question = random_question(network, steps=6)
    cut = rnnviz.bptt(network, *question, truncation=Truncation(kind, 7))
    np.testing.assert_allclose(cut.adjoint, rnnviz.bptt(network, *question).adjoint, rtol=1e-12)


def test_limits_are_kept_as_numbers():
    assert SignalClip("hidden_norm", 3).limit == 3.0
    assert isinstance(SignalClip("hidden_norm", np.float32(0.5)).limit, float)


@pytest.mark.parametrize("steps", [5, np.int64(5), 10**30])
def test_any_whole_number_of_steps_is_allowed(steps):
    network = random_network()
    for kind in TRUNCATIONS:
        flow = rnnviz.bptt(network, *random_question(network, steps=3), truncation=Truncation(kind, steps))
        assert np.isfinite(flow.log10_norm).all()


def test_refusals_word_for_word():
    assert refusal(SignalClip, "norm", 1.0) == (
        "signal_clip.kind: must be 'preactivation_value', 'hidden_value' or 'hidden_norm', got 'norm'."
    )
    assert refusal(SignalClip, "hidden_norm", 0) == "signal_clip.limit: must be a finite number above 0, got 0."
    assert refusal(Truncation, "off", 3) == "truncation.kind: must be 'chunked' or 'sliding', got 'off'."
    assert refusal(Truncation, "chunked", 0) == "truncation.steps: must be a whole number of at least 1, got 0."


@pytest.mark.parametrize("value", NONSENSE)
def test_nonsense_gets_one_sentence(value):
    assert_clear(refusal(SignalClip, value, 1.0), "signal_clip.kind")
    assert_clear(refusal(Truncation, value, 1), "truncation.kind")
    if not (isinstance(value, float) and value == 2.5):
        assert_clear(refusal(SignalClip, "hidden_norm", value), "signal_clip.limit")
    if not (isinstance(value, int) and value > 1):
        assert_clear(refusal(Truncation, "chunked", value), "truncation.steps")


def test_a_huge_limit_is_a_limit_or_a_refusal():
    """10^400 is finite, but no float64."""
    with pytest.raises(ConfigError):
        SignalClip("hidden_norm", 10**400)


def test_clipping_and_a_sliding_window_do_not_go_together():
    network = random_network()
    both = {"signal_clip": SignalClip("hidden_norm", 1.0), "truncation": Truncation("sliding", 2)}
    message = refusal(rnnviz.bptt, network, *random_question(network, steps=3), **both)
    assert message == (
        "signal_clip: cannot be combined with a sliding truncation, where every loss has a signal of its own; "
        "allowed is None or a chunked truncation, got SignalClip(kind='hidden_norm', limit=1.0)."
    )
