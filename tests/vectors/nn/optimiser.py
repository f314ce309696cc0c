# SPDX-License-Identifier: Apache-2.0
# The numbers in tests/nn/test_optimiser.c: four steps from w = 1 along GRADIENTS, in double, by the
# formulas in PyTorch 1.13's documentation of torch.optim.
from math import sqrt

GRADIENTS = [1.0, -0.5, 0.25, 2.0]


def adam(rate, beta1, beta2, eps, decay, apart):
    w, m, s = 1.0, 0.0, 0.0
    for t, g in enumerate(GRADIENTS, 1):
        if apart:
            w -= rate * decay * w
        else:
            g += decay * w
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g * g
        w -= rate * (m / (1 - beta1**t)) / (sqrt(s / (1 - beta2**t)) + eps)
        yield w


def rmsprop(rate, alpha, eps, momentum):
    w, s, v = 1.0, 0.0, 0.0
    for g in GRADIENTS:
        s = alpha * s + (1 - alpha) * g * g
        v = momentum * v + g / (sqrt(s) + eps)
        w -= rate * v
        yield w


def adagrad(rate, eps):
    w, s = 1.0, 0.0
    for g in GRADIENTS:
        s += g * g
        w -= rate * g / (sqrt(s) + eps)
        yield w


for name, way in [
    ("adam", adam(0.1, 0.9, 0.999, 1e-8, 0.0, False)),
    ("adam_decay", adam(0.1, 0.8, 0.95, 1e-3, 0.5, False)),
    ("adamw", adam(0.1, 0.9, 0.999, 1e-8, 0.5, True)),
    ("rmsprop", rmsprop(0.01, 0.99, 1e-8, 0.0)),
    ("rmsprop_momentum", rmsprop(0.01, 0.9, 1e-3, 0.5)),
    ("adagrad", adagrad(0.1, 1e-10)),
]:
    print(name, ", ".join("%.9f" % w for w in way))
