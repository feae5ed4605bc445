"""What a watch sends to a logger, from a plain loop and from a real Lightning trainer, against norms taken by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import rnnviz
from rnnviz.learning import callbacks

T, B, D, H, LIMIT = 6, 2, 3, 4, 0.05


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(D, H, batch_first=True), nn.Linear(H, 1)

    def forward(self, inputs):
        return self.head(self.rnn(inputs)[0][:, -1])


def data(count=6):
    return torch.randn(count * B, T, D, generator=torch.Generator().manual_seed(2))


def norm_by_hand(model):
    return float(np.sqrt(sum(float(value.grad.double().square().sum()) for value in model.parameters())))


def trained_by_hand(every=2):
    """A plain loop; gives what was logged, and the norms before and after clipping at every update."""
    torch.manual_seed(0)
    model, logged, norms = Model(), [], []
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    with rnnviz.watch(model, every=every) as watch:
        for inputs in data().split(B):
            optimiser.zero_grad()
            model(inputs).square().mean().backward()
            before = norm_by_hand(model)
            nn.utils.clip_grad_norm_(model.parameters(), LIMIT)
            norms.append((before, norm_by_hand(model)))
            callbacks.report(watch, logged.append)
            optimiser.step()
    return watch, logged, norms


def assert_reported(logged, frames, norms, prefix="rnn"):
    names = ("memory_horizon", "growth_per_step")
    assert len(logged) == len(frames)
    for numbers, frame in zip(logged, frames, strict=True):
        before, after = norms[frame.update - 1]
        verdict = frame.modules[prefix].verdict
        assert [numbers[f"{prefix}/{name}"] for name in names] == [verdict.memory_horizon, verdict.growth_per_step]
        np.testing.assert_allclose(numbers["grad_norm_before_clipping"], before, rtol=1e-5)
        np.testing.assert_allclose(numbers["grad_norm_after_clipping"], after, rtol=1e-5)


def test_a_plain_loop_logs_every_watched_update_once():
    watch, logged, norms = trained_by_hand()
    assert [frame.update for frame in watch.frames] == [2, 4, 6]
    assert_reported(logged, watch.frames, norms)
    assert all(before > LIMIT >= after - 1e-6 for before, after in norms)
    assert callbacks.report(watch, logged.append) == {}
    assert len(logged) == 3


def test_a_norm_that_is_known_better_takes_the_place_of_the_watchs_own():
    model = Model()
    with rnnviz.watch(model) as watch:
        (1024.0 * model(data(1))).mean().backward()
        for value in model.parameters():
            value.grad /= 1024.0
        numbers = callbacks.report(watch, lambda numbers: None, before=norm_by_hand(model))
    assert numbers["grad_norm_before_clipping"] == pytest.approx(numbers["grad_norm_after_clipping"], rel=1e-5)
    assert watch.frames[0].gradient_norm == pytest.approx(1024 * numbers["grad_norm_after_clipping"], rel=1e-5)


def test_what_is_not_there_is_not_logged():
    model = Model()
    model.rnn.weight_hh_l0.data[0, 0] = float("nan")
    with rnnviz.watch(model) as watch:
        model(data(1)).mean().backward()
        numbers = callbacks.report(watch, lambda numbers: None)
    assert sorted(numbers) == ["grad_norm_after_clipping", "grad_norm_before_clipping"]


def test_without_lightning_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(callbacks, "PACKAGES", ("no_such_lightning",))
    with pytest.raises(rnnviz.RnnvizError, match=r"WatchCallback: must have lightning at hand, got none; install it"):
        _ = callbacks.WatchCallback
    with pytest.raises(AttributeError, match="nonsense"):
        _ = callbacks.nonsense


@pytest.mark.filterwarnings("ignore:.isinstance.treespec:FutureWarning")  # Lightning's own, with a newer torch
@pytest.mark.filterwarnings("ignore:The number of training batches:UserWarning")  # the default of 50 is what is tested
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_real_lightning_trainer_logs_the_same(tmp_path, accumulate):
    import lightning.pytorch as lightning
    from lightning.pytorch.loggers.logger import DummyLogger

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.net, self.before = Model(), []

        def training_step(self, batch, _):
            return self.net(batch).square().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

        def on_before_optimizer_step(self, optimizer):
            self.before.append(norm_by_hand(self))

        def optimizer_step(self, epoch, batch, optimizer, closure):
            super().optimizer_step(epoch, batch, optimizer, closure)
            after.append(norm_by_hand(self))

    class Kept(DummyLogger):
        def log_metrics(self, metrics, step):
            logged.append(metrics)

    logged, after, module = [], [], Module()
    watching = callbacks.WatchCallback(every=2)
    assert isinstance(watching, lightning.Callback)
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=Kept(), callbacks=[watching], enable_progress_bar=False,
        enable_checkpointing=False, enable_model_summary=False, gradient_clip_val=LIMIT, default_root_dir=tmp_path,
        accumulate_grad_batches=accumulate,
    )  # fmt: skip
    trainer.fit(module, DataLoader(data(), batch_size=B))
    ours = [numbers for numbers in logged if "grad_norm_before_clipping" in numbers]
    norms = {accumulate * (i + 1): pair for i, pair in enumerate(zip(module.before, after, strict=True))}
    assert [frame.update for frame in watching.watch.frames] == [2, 4, 6]
    assert_reported(ours, watching.watch.frames, [norms.get(i + 1) for i in range(6)], "net.rnn")
    assert float(trainer.callback_metrics["grad_norm_after_clipping"]) == pytest.approx(LIMIT, rel=1e-4)
    assert watching.watch.closed
    assert not module.net.rnn._forward_hooks
    if accumulate == 1:
        assert [numbers["net.rnn/growth_per_step"] for numbers in ours] == [
            numbers["rnn/growth_per_step"] for numbers in trained_by_hand()[1]
        ]
