"""A sweep on a Dask cluster, one of whose workers is killed in the middle."""

import os
import signal

import numpy as np
from distributed import Client, LocalCluster

import rnnviz
from rnnviz.experiments.sweep_result import MEASURES

GRID = {"hidden_size": tuple(range(2, 26)), "length": (150, 300)}  # parts of some 0.1 s each
BASE = rnnviz.Config(loss="every", layers=2)


def test_a_killed_worker_loses_nothing():
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50)
    with cluster, Client(cluster) as client:
        killed, seen = [], []

        def kill_one(done, total):
            seen.append((done, total))
            if done == 2:
                (_, pid), *_ = client.run(os.getpid).items()
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

        found = rnnviz.sweep(GRID, BASE, executor=client.get_executor(), progress=kill_one)
    assert killed
    assert seen == [(done, 24) for done in range(1, 25)]
    alone = rnnviz.sweep(GRID, BASE)
    for name in MEASURES:
        np.testing.assert_array_equal(found.columns[name], alone.columns[name])
