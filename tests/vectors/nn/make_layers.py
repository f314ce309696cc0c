# SPDX-License-Identifier: Apache-2.0
# The numbers in layers.h: small models, optimisers and schedules in PyTorch 1.13 (Debian's
# python3-torch), float64 rounded. Run: /usr/bin/python3 tests/vectors/nn/make_layers.py
# Weights and inputs are made by a small generator of our own, so that layers.h holds results only.
import math
import pathlib
import torch
from torch import nn

torch.set_default_dtype(torch.float64)
BATCH, CLASSES = 3, 3
out = []


class Draw:
    """The same multiples of 1/64 in [-1, 1) as draw() in tests/nn/test_torch.c."""

    def __init__(self, state):
        self.state = state

    def word(self):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return self.state >> 25

    def tensor(self, *shape):
        count = math.prod(shape)
        return torch.tensor([(self.word() - 64) / 64 for _ in range(count)]).reshape(shape)


def numbers(values):
    flat = torch.as_tensor(values).detach().reshape(-1).tolist()
    return ", ".join("%.9g" % v for v in flat)


class Turn(nn.Module):
    """[B, T, C] to our order of a flattened sequence: channels first."""

    def forward(self, x):
        return x.transpose(1, 2).flatten(1)


class RmsNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        y = x.movedim(1, -1)
        y = y / torch.sqrt((y * y).mean(-1, keepdim=True) + 1e-5) * self.weight
        return y.movedim(-1, 1)


class ChannelNorm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Recurrent(nn.Module):
    def __init__(self, kind, size, hidden, layers, last):
        super().__init__()
        self.inner, self.last = kind(size, hidden, layers, batch_first=True), last

    def forward(self, x):
        y = self.inner(x)[0]
        return y[:, -1] if self.last else y


class Attend(nn.Module):
    """Self attention; its tensors in our order: weights, then biases."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.inner, self.causal = nn.MultiheadAttention(width, heads, batch_first=True), causal

    def forward(self, x):
        t = x.shape[1]
        mask = torch.triu(torch.ones(t, t, dtype=torch.bool), 1) if self.causal else None
        return self.inner(x, x, x, attn_mask=mask, need_weights=False)[0]


class Residual(nn.Module):
    def __init__(self, inner, projection=None):
        super().__init__()
        self.inner, self.projection = inner, projection

    def forward(self, x):
        y = self.inner(x)
        return y + (x if self.projection is None else self.projection(x))


class Block(nn.Module):
    """A Transformer encoder block, its parts in the order of our layers."""

    def __init__(self, width, heads, units, pre):
        super().__init__()
        self.pre = pre
        self.norm1, self.attend = nn.LayerNorm(width), Attend(width, heads, True)
        self.norm2, self.wide, self.narrow = (nn.LayerNorm(width), nn.Linear(width, units),
                                              nn.Linear(units, width))

    def ordered(self):
        if self.pre:
            return [self.norm1, self.attend, self.norm2, self.wide, self.narrow]
        return [self.attend, self.norm1, self.wide, self.narrow, self.norm2]

    def forward(self, x):
        feed = lambda v: self.narrow(torch.relu(self.wide(v)))
        if self.pre:
            x = x + self.attend(self.norm1(x))
            return x + feed(self.norm2(x))
        x = self.norm1(x + self.attend(x))
        return self.norm2(x + feed(x))


def tensors(module):
    """Parameters in the order of our vector."""
    if isinstance(module, Attend):
        a = module.inner
        return [a.in_proj_weight, a.out_proj.weight, a.in_proj_bias, a.out_proj.bias]
    if isinstance(module, Block):
        return [p for part in module.ordered() for p in tensors(part)]
    if isinstance(module, Residual):
        own = tensors(module.inner)
        return own + (tensors(module.projection) if module.projection is not None else [])
    if isinstance(module, nn.Sequential):
        return [p for part in module for p in tensors(part)]
    return list(module.parameters())


def case(name, shape, model, vocabulary=0):
    parameters, draw = tensors(model), Draw(len(out) + 1)
    with torch.no_grad():
        for p in parameters:
            p.copy_(draw.tensor(*p.shape))
    if vocabulary:
        x = torch.tensor([[draw.word() % vocabulary for _ in range(shape[0])] for _ in range(BATCH)])
    else:
        x = draw.tensor(BATCH, *shape)
    y = torch.arange(BATCH) % CLASSES
    logits = model(x)
    loss = nn.functional.cross_entropy(logits, y, reduction="sum")
    gradient = torch.autograd.grad(loss, parameters)
    flat = torch.cat([g.reshape(-1) for g in gradient])
    out.append('{"%s", %d, %.12g,\n (const double[]){%s},\n (const double[]){%s}},' % (
        name, flat.numel(), loss.item(), numbers(logits), numbers(flat)))


def image(name, *middle, channels=4, size=5):
    """conv2d 2 -> 4, what is tested, flatten, dense 3; the input is 2 x 5 x 5."""
    first = nn.Conv2d(2, 4, 1)
    width = nn.Sequential(first, *middle, nn.Flatten())(torch.zeros(1, 2, 5, 5)).shape[1]
    case(name, (2, 5, 5), nn.Sequential(first, *middle, nn.Flatten(), nn.Linear(width, CLASSES)))


def steps(name, *middle, last=False):
    """embedding 7 -> 4, what is tested on 5 steps, (flatten,) dense 3."""
    first = nn.Embedding(7, 4)
    tail = [] if last else [Turn()]
    width = nn.Sequential(first, *middle, *tail)(torch.zeros(1, 5, dtype=torch.long)).shape[1]
    case(name, (5,), nn.Sequential(first, *middle, *tail, nn.Linear(width, CLASSES)), 7)


image("conv2d", nn.Conv2d(4, 3, 3, stride=2, padding=1))
image("conv2d_groups", nn.Conv2d(4, 6, 3, padding=2, groups=2))
image("max_pool", nn.MaxPool2d(2, 1))
image("average_pool", nn.AvgPool2d(3, 2))
image("global_average_pool", nn.AdaptiveAvgPool2d(1))
for name, layer in [("relu", nn.ReLU()), ("tanh", nn.Tanh()), ("leaky_relu", nn.LeakyReLU(0.2)),
                    ("gelu", nn.GELU()), ("silu", nn.SiLU()), ("sigmoid", nn.Sigmoid()),
                    ("softmax", nn.Softmax(1))]:
    image(name, layer)
image("layer_norm", ChannelNorm(4))
image("rms_norm", RmsNorm(4))
image("group_norm", nn.GroupNorm(2, 4))
image("residual", Residual(nn.Conv2d(4, 4, 3, padding=1)))
image("projection", Residual(nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.Conv2d(4, 6, 1, stride=2)))
steps("lstm", Recurrent(nn.LSTM, 4, 3, 2, False))
steps("lstm_last", Recurrent(nn.LSTM, 4, 3, 1, True), last=True)
steps("gru", Recurrent(nn.GRU, 4, 3, 2, False))
steps("gru_last", Recurrent(nn.GRU, 4, 3, 1, True), last=True)
steps("attention", Attend(4, 2, False))
steps("attention_causal", Attend(4, 2, True))
steps("encoder", Block(4, 2, 6, False))
steps("encoder_pre_norm", Block(4, 2, 6, True))
image("max_pool_padded", nn.MaxPool2d(3, 2, 1))
image("average_pool_padded", nn.AvgPool2d(3, 2, 1))
image("global_max_pool", nn.AdaptiveMaxPool2d(1))
cases, out = out, []

# ---- optimisers: four weights, six steps along drawn gradients ----

OPTIMISERS = [
    ("sgd", lambda p: torch.optim.SGD(p, 0.1)),
    ("sgd_momentum", lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.05)),
    ("nesterov", lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True)),
    ("adam", lambda p: torch.optim.Adam(p, 0.1)),
    ("adam_decay", lambda p: torch.optim.Adam(p, 0.1, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.5)),
    ("adamw", lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.5)),
    ("rmsprop", lambda p: torch.optim.RMSprop(p, 0.01)),
    ("rmsprop_momentum", lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.9, eps=1e-3, momentum=0.5)),
    ("adagrad", lambda p: torch.optim.Adagrad(p, 0.1)),
]
for name, make in OPTIMISERS:
    draw, way = Draw(99), []
    w = nn.Parameter(draw.tensor(4))
    optimiser = make([w])
    for _ in range(6):
        w.grad = draw.tensor(4)
        optimiser.step()
        way.append(w.detach().clone())
    out.append('{"%s", (const double[]){%s}},' % (name, numbers(torch.cat(way))))
ways, out = out, []

# ---- schedules: the rates of twelve steps ----

SCHEDULES = [
    ("step", lambda o: torch.optim.lr_scheduler.StepLR(o, 4, 0.5)),
    ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 12)),
    ("warm_up", lambda o: torch.optim.lr_scheduler.LinearLR(o, 1 / 4, 1.0, 3)),
]
for name, make in SCHEDULES:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.1)
    schedule, rates = make(optimiser), []
    for _ in range(12):
        rates.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    out.append('{"%s", (const double[]){%s}},' % (name, numbers(rates)))

path = pathlib.Path(__file__).parent / "layers.h"
path.write_text("""/* SPDX-License-Identifier: Apache-2.0 */
/* Written by make_layers.py beside it, with PyTorch %s. Included by tests/nn/test_torch.c alone. */
/* clang-format off */
static const struct torch_case torch_cases[] = {
%s
};
static const struct torch_way torch_ways[] = {
%s
};
static const struct torch_way torch_rates[] = {
%s
};
/* clang-format on */
""" % (torch.__version__, "\n".join(cases), "\n".join(ways), "\n".join(out)))
print("%d models, %d optimisers, %d schedules: %d bytes" % (
    len(cases), len(ways), len(out), path.stat().st_size))
