"""A second engine in 60 digits, written from torch.nn's formulas, for norms that no float64 can hold.

Derivatives are taken from the outputs (1 - y², y (1 - y)), as textbooks do: with 60 digits nothing cancels.
"""

from mpmath import exp as power_of_e
from mpmath import fdot, log10, mp, mpf, sqrt, tanh, workdps

DIGITS = 60


def sigmoid(a):
    return 1 / (1 + power_of_e(-a))


def times(matrix, vector):
    return [fdot(row, vector) for row in matrix]


ACTIVATIONS = {  # name: (function, slope from the output)
    "tanh": (tanh, lambda y: 1 - y * y),
    "sigmoid": (sigmoid, lambda y: y * (1 - y)),
    "relu": (lambda a: max(a, mpf(0)), lambda y: mpf(y > 0)),
    "linear": (lambda a: a, lambda y: mpf(1)),
}


class Reference:
    """One stream with a batch of one, forward and backward; `hidden` and `cell` hold (T+1) adjoints, `carried` ĉ."""

    def __init__(self, network, inputs, output_gradient):
        with workdps(DIGITS):
            (stream,) = network.streams
            self.size, self.name = network.hidden_size, stream.activation.name
            weights = {kind: self._matrix(network, kind) for kind in ("weight_ih", "weight_hh")}
            self.weight_ih, self.weight_hh = weights["weight_ih"], weights["weight_hh"]
            self.transposed = list(zip(*self.weight_hh, strict=True))
            zero = [mpf(0)] * len(self.weight_ih)
            self.bias_ih, self.bias_hh = (
                [mpf(float(x)) for x in network.parameters.get(f"{kind}_l0", zero)] for kind in ("bias_ih", "bias_hh")
            )
            h = c = [mpf(0)] * self.size
            kept = []
            for x in inputs[:, 0]:
                (h, c), keep = getattr(self, network.cell)([mpf(float(v)) for v in x], h, c)
                kept.append(keep)
            self.hidden, self.cell, self.carried = [], [], []
            g = carried = [mpf(0)] * self.size
            for keep, direct in zip(reversed(kept), output_gradient[::-1, 0], strict=True):
                g = [a + mpf(float(b)) for a, b in zip(g, direct, strict=True)]
                self.hidden.append(g)
                self.carried.append(carried)
                g, carried, into_c = getattr(self, network.cell + "_back")(keep, g, carried)
                self.cell.append(into_c)
            self.hidden.append(g)
            self.carried.append(carried)
            self.cell.append(carried)

    @staticmethod
    def _matrix(network, kind):
        return [[mpf(float(x)) for x in row] for row in network.parameters[f"{kind}_l0"]]

    def log10_norms(self, name="hidden"):
        """Of the adjoints, first row first; "joint" is (dh, ĉ)."""
        with workdps(DIGITS):
            rows = (
                [a + b for a, b in zip(self.hidden, self.carried, strict=True)]
                if name == "joint"
                else getattr(self, name)
            )
            return [float(log10(sqrt(fdot(row, row)))) if any(row) else -float("inf") for row in rows[::-1]]

    def gates(self, x, h):
        drive = [a + b for a, b in zip(times(self.weight_ih, x), self.bias_ih, strict=True)]
        recurrent = [a + b for a, b in zip(times(self.weight_hh, h), self.bias_hh, strict=True)]
        parts = range(0, len(drive), self.size)
        return [drive[p : p + self.size] for p in parts], [recurrent[p : p + self.size] for p in parts]

    def rnn(self, x, h, c):
        (drive,), (recurrent,) = self.gates(x, h)
        y = [ACTIVATIONS[self.name][0](a + b) for a, b in zip(drive, recurrent, strict=True)]
        return (y, c), y

    def rnn_back(self, y, g, carried):
        delta = [ACTIVATIONS[self.name][1](a) * b for a, b in zip(y, g, strict=True)]
        return times(self.transposed, delta), carried, carried

    def lstm(self, x, h, c):
        a = [[p + q for p, q in zip(*pair, strict=True)] for pair in zip(*self.gates(x, h), strict=True)]
        i, f, o = ([sigmoid(v) for v in a[k]] for k in (0, 1, 3))
        g = [tanh(v) for v in a[2]]
        new = [f[k] * c[k] + i[k] * g[k] for k in range(self.size)]
        y = [tanh(v) for v in new]
        return ([o[k] * y[k] for k in range(self.size)], new), (i, f, g, o, c, y)

    def lstm_back(self, keep, dh, carried):
        i, f, g, o, before, y = keep
        units = range(self.size)
        dc = [carried[k] + dh[k] * o[k] * (1 - y[k] ** 2) for k in units]
        delta = [dc[k] * g[k] * i[k] * (1 - i[k]) for k in units]
        delta += [dc[k] * before[k] * f[k] * (1 - f[k]) for k in units]
        delta += [dc[k] * i[k] * (1 - g[k] ** 2) for k in units]
        delta += [dh[k] * y[k] * o[k] * (1 - o[k]) for k in units]
        return times(self.transposed, delta), [dc[k] * f[k] for k in units], dc

    def gru(self, x, h, c):
        (dr, dz, dn), (hr, hz, q) = self.gates(x, h)
        r = [sigmoid(a + b) for a, b in zip(dr, hr, strict=True)]
        z = [sigmoid(a + b) for a, b in zip(dz, hz, strict=True)]
        n = [tanh(dn[k] + r[k] * q[k]) for k in range(self.size)]
        return ([(1 - z[k]) * n[k] + z[k] * h[k] for k in range(self.size)], c), (r, z, n, q, h)

    def gru_back(self, keep, dh, carried):
        r, z, n, q, before = keep
        units = range(self.size)
        dn = [dh[k] * (1 - z[k]) * (1 - n[k] ** 2) for k in units]
        dz = [dh[k] * (before[k] - n[k]) * z[k] * (1 - z[k]) for k in units]
        dr = [dn[k] * q[k] * r[k] * (1 - r[k]) for k in units]
        through = times(self.transposed, dr + dz + [r[k] * dn[k] for k in units])
        return [dh[k] * z[k] + through[k] for k in units], carried, carried


__all__ = ["DIGITS", "Reference", "mp"]
