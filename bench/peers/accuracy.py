# SPDX-License-Identifier: Apache-2.0
"""What PyTorch reaches with the models and settings of bench/accuracy.sh, for comparison.

    /usr/bin/python3 bench/peers/accuracy.py lstm TRAIN.txt TEST.txt STEPS
    /usr/bin/python3 bench/peers/accuracy.py cnn5 FASHION-MNIST-FOLDER EPOCHS
    /usr/bin/python3 bench/peers/accuracy.py table TRAIN.csv TEST.csv EPOCHS RATE DECAY

The same layers, optimiser, batches and seeds of its own; one thread. Prints one line.
"""
import csv
import gzip
import math
import pathlib
import sys
import time

import numpy as np
import torch
from torch import nn

torch.manual_seed(1)
torch.set_num_threads(1)


def batches(n, size):
    """Shuffled batches for ever."""
    while True:
        order = torch.randperm(n)
        yield from order.split(size)


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(256, 64), nn.LSTM(64, 256, batch_first=True)
        self.head = nn.Linear(256, 256)

    def forward(self, x):
        return self.head(self.lstm(self.embedding(x))[0])


def sequences(path, length):
    data = np.frombuffer(pathlib.Path(path).read_bytes(), np.uint8).astype(np.int64)
    count = (len(data) - 1) // length
    cut = lambda start: torch.from_numpy(data[start:start + count * length].reshape(count, length))
    return cut(0), cut(1)


def lstm(train, test, steps):
    x, y = sequences(train, 64)
    model = Lstm()
    optimiser = torch.optim.Adam(model.parameters(), 0.002)
    for _, rows in zip(range(int(steps)), batches(len(x), 32)):
        loss = nn.functional.cross_entropy(model(x[rows]).reshape(-1, 256), y[rows].reshape(-1))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    x, y = sequences(test, 64)
    with torch.no_grad():
        loss = nn.functional.cross_entropy(model(x).reshape(-1, 256), y.reshape(-1)).item()
    return "%.4f bits per character" % (loss / math.log(2))


def idx(path, head):
    return np.frombuffer(gzip.open(path).read(), np.uint8, offset=head)


def cnn5(folder, epochs):
    def load(part):
        x = idx("%s/%s-images-idx3-ubyte.gz" % (folder, part), 16).reshape(-1, 1, 28, 28)
        y = idx("%s/%s-labels-idx1-ubyte.gz" % (folder, part), 8).astype(np.int64)
        return torch.from_numpy((x.astype(np.float32) / 255 - 0.2860) / 0.3530), torch.from_numpy(y)

    model = nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 10))
    x, y = load("train")
    optimiser = torch.optim.Adam(model.parameters(), 0.001)
    for _, rows in zip(range(int(epochs) * math.ceil(len(x) / 64)), batches(len(x), 64)):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimiser.step()
    x, y = load("t10k")
    with torch.no_grad():
        right = sum((model(x[i:i + 500]).argmax(1) == y[i:i + 500]).sum().item()
                    for i in range(0, len(x), 500))
    return "accuracy %.2f %%" % (100 * right / len(x))


def auc(score, y):
    """Mann and Whitney 1947, by ranks; equal scores count half."""
    positive, negative = score[y == 1], score[y == 0]
    above = (positive[:, None] > negative[None]).double() + 0.5 * (positive[:, None] == negative[None])
    return above.mean().item()


def table(train, test, epochs, rate, decay):
    def load(path):
        rows = list(csv.reader(open(path, newline="")))[1:]
        x = torch.tensor([[float(v) for v in r[:-1]] for r in rows])
        return x, torch.tensor([int(r[-1]) for r in rows])

    x, y = load(train)
    model = nn.Linear(x.shape[1], 2)
    optimiser = torch.optim.SGD(model.parameters(), float(rate), momentum=0.9,
                                weight_decay=float(decay))
    for _, rows in zip(range(int(epochs) * math.ceil(len(x) / 32)), batches(len(x), 32)):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimiser.step()
    x, y = load(test)
    with torch.no_grad():
        logits = model(x)
    return "accuracy %.2f %%, AUC %.4f" % (100 * (logits.argmax(1) == y).double().mean(),
                                            auc(logits[:, 1] - logits[:, 0], y))


started = time.time()
answer = {"lstm": lstm, "cnn5": cnn5, "table": table}[sys.argv[1]](*sys.argv[2:])
print("%-5s PyTorch %s: %s, %.0f s" % (sys.argv[1], torch.__version__, answer, time.time() - started))
