"""The wall's error and its gradient by autograd."""

import numpy as np
import torch

from rnnviz.core.wall import STEPS, X_0


def torch_error(w, b):
    x = torch.full_like(w * b, X_0)
    for _ in range(STEPS):
        x = w * torch.sigmoid(x) + b
    return (torch.sigmoid(x) - 0.7) ** 2


def by_torch(w, b):
    """Error and both derivatives by autograd."""
    w, b = (torch.tensor(np.asarray(part, float), requires_grad=True) for part in (w, b))
    error = torch_error(w, b)
    return error.detach().numpy(), *(grad.numpy() for grad in torch.autograd.grad(error.sum(), (w, b)))
