# SPDX-License-Identifier: Apache-2.0
# Writes sequence.txt: what PyTorch computes for small models of sequences, forward and backward.
# Run: /usr/bin/python3 tests/vectors/nn/make_sequence.py > tests/vectors/nn/sequence.txt
# (PyTorch 1.13.1, Debian's python3-torch). tests/nn/test_sequence_vectors.c builds the same models.
#
# A case is: its name; weights in the order of Cairn's tensors; tokens x [n, T]; targets y (classes,
# -1: ignored) or z (reals); outputs; the sum of the examples' losses; the gradient of that sum.
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)
V, C, T, N, CLASSES = 6, 4, 5, 3, 3


def tokens(padded=False):
    x = torch.randint(1, V, (N, T))
    if padded:
        x[1, 3:] = 0
        x[2, 4:] = 0
    return x


def emit(name, values):
    flat = values.detach().reshape(-1).tolist()
    print(name, len(flat), " ".join("%.9g" % v for v in flat))


def case(name, parameters, x, forward, target, loss_of):
    for p in parameters:
        if p.dim() == 1:  # biases that start at zero would test nothing
            p.data.add_(torch.randn_like(p) * 0.3)
    for p in parameters:
        p.data = p.data.to(torch.float32).to(torch.float64)
        p.grad = None
    out = forward(x)
    loss = sum(loss_of(out[i], target[i]) for i in range(N))
    loss.backward()
    print("case", name)
    emit("weights", torch.cat([p.reshape(-1) for p in parameters]))
    emit("x", x.double())
    if target.is_floating_point():
        emit("z", target)
    else:
        emit("y", torch.where(target < 0, -1, target).double())
    emit("output", out)
    emit("loss", loss)
    emit("gradient", torch.cat([p.grad.reshape(-1) for p in parameters]))


def cross_entropy(out, target):
    return F.cross_entropy(out, target)


def smoothed(out, target):
    return F.cross_entropy(out, target, label_smoothing=0.1)


def attention_weights(a):
    return [a.in_proj_weight, a.out_proj.weight, a.in_proj_bias, a.out_proj.bias]


def linear(l):
    return [l.weight, l.bias]


def targets(ignore=True):
    y = torch.randint(0, CLASSES, (N, T))
    if ignore:
        y[0, 1] = y[2, 0] = y[2, 4] = -100
    return y


def recurrent():
    e, l, d = nn.Embedding(V, C), nn.LSTM(C, 5, 2, batch_first=True), nn.Linear(5, CLASSES)
    case("lstm", [e.weight, *l.parameters(), *linear(d)], tokens(),
         lambda x: d(l(e(x))[0][:, -1]), torch.randint(0, CLASSES, (N,)), cross_entropy)
    g = nn.GRU(C, 5, 2, batch_first=True)
    case("gru", [e.weight, *g.parameters(), *linear(d)], tokens(),
         lambda x: d(g(e(x))[0]), targets(), smoothed)


def attention():
    e, d = nn.Embedding(V, C), nn.Linear(C, CLASSES)
    a = nn.MultiheadAttention(C, 2, batch_first=True)
    future = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
    all_of = [e.weight, *attention_weights(a), *linear(d)]

    def causal(x):
        h = e(x)
        return d(a(h, h, h, attn_mask=future)[0])

    def padded(x):
        h = e(x)
        return d(a(h, h, h, key_padding_mask=x == 0)[0])

    def cross(x):  # queries from the last three steps, keys from the first two
        h = e(x)
        return d(a(h[:, 2:], h[:, :2], h[:, :2])[0])

    case("attention_causal", all_of, tokens(), causal, targets(), cross_entropy)
    case("attention_padded", all_of, tokens(True), padded, targets(), cross_entropy)
    case("attention_cross", all_of, tokens(), cross, targets(False)[:, :3].contiguous(),
         cross_entropy)


def encoder_weights(b, norm_first):
    parts = [attention_weights(b.self_attn), linear(b.linear1) + linear(b.linear2)]
    norms = [linear(b.norm1), linear(b.norm2)]
    order = []
    for part, norm in zip(parts, norms):
        order += norm + part if norm_first else part + norm
    return order


def decoder_weights(b):
    return [*attention_weights(b.self_attn), *linear(b.norm1),
            *attention_weights(b.multihead_attn), *linear(b.norm2),
            *linear(b.linear1), *linear(b.linear2), *linear(b.norm3)]


def blocks():
    future = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
    for norm_first in (False, True):
        e, d = nn.Embedding(V, C), nn.Linear(C, CLASSES)
        b = nn.TransformerEncoderLayer(C, 2, 7, 0.0, F.gelu if norm_first else F.relu,
                                       batch_first=True, norm_first=norm_first)
        case("encoder_pre" if norm_first else "encoder_post",
             [e.weight, *encoder_weights(b, norm_first), *linear(d)], tokens(True),
             lambda x: d(b(e(x), src_mask=future, src_key_padding_mask=x == 0)), targets(),
             cross_entropy)
    e, d = nn.Embedding(V, C), nn.Linear(C, CLASSES)
    b = nn.TransformerEncoderLayer(C, 2, 7, 0.0, batch_first=True)
    c = nn.TransformerDecoderLayer(C, 2, 7, 0.0, batch_first=True)
    f = nn.Embedding(V, C)
    sees = torch.triu(torch.ones(2, 2, dtype=torch.bool), 1)

    def forward(x):  # three steps of source, the last of which may be padding, two of target
        source, so_far = x[:, :3], x[:, 3:]
        memory = b(e(source), src_key_padding_mask=source == 0)
        return d(c(f(so_far), memory, tgt_mask=sees, memory_key_padding_mask=source == 0))

    x = tokens()
    x[1, 2] = 0
    case("decoder", [e.weight, *encoder_weights(b, False), f.weight, *decoder_weights(c),
                     *linear(d)], x, forward, targets(False)[:, :2].contiguous(), cross_entropy)


def losses():
    e, d = nn.Embedding(V, C), nn.Linear(C, 2)
    n = nn.LayerNorm(C)
    for name, loss in (("binary_cross_entropy", F.binary_cross_entropy_with_logits),
                       ("mean_squared_error", F.mse_loss),
                       ("huber", lambda o, z: F.huber_loss(o, z, delta=0.4))):
        case(name, [e.weight, *linear(n), *linear(d)], tokens(), lambda x: d(n(e(x))),
             torch.rand(N, T, 2), loss)


recurrent()
attention()
blocks()
losses()
