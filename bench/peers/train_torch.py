#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The models of `cairn bench train` in PyTorch: same shapes, random data, same answer in JSON.

Run it with Debian's python3-torch (/usr/bin/python3). Batches are made before the clock starts, so
PyTorch is spared the drawing and copying that cairn's training does. glibc's allocator is told to
keep memory: giving it back and faulting it in again would double the time of small models.
"""
import argparse
import json
import os
import resource
import sys
import time

MALLOC = {
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
}
WARM_SHARE = 0.2
BATCHES = 8


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="cnn5",
                        choices=["mlp", "cnn3", "cnn5", "lstm", "transformer", "logistic"])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--optimizer", default="sgd", choices=["sgd", "adam"])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def build(torch, name):
    nn = torch.nn
    flat, relu, pool = nn.Flatten, nn.ReLU, lambda: nn.MaxPool2d(2)

    class Lstm(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(90, 8)
            self.lstm = nn.LSTM(8, 256, num_layers=2, batch_first=True)
            self.out = nn.Linear(256, 90)

        def forward(self, x):
            return self.out(self.lstm(self.embed(x))[0][:, -1])

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            block = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True)
            self.embed = nn.Embedding(1000, 128)
            self.position = nn.Parameter(torch.zeros(64, 128))
            self.blocks = nn.TransformerEncoder(block, 2)
            self.out = nn.Linear(128, 1000)
            self.mask = torch.triu(torch.full((64, 64), float("-inf")), 1)

        def forward(self, x):
            return self.out(self.blocks(self.embed(x) + self.position, self.mask)).flatten(0, 1)

    return {
        "logistic": lambda: nn.Sequential(flat(), nn.Linear(784, 10)),
        "mlp": lambda: nn.Sequential(flat(), nn.Linear(784, 128), relu(), nn.Linear(128, 10)),
        "cnn3": lambda: nn.Sequential(
            nn.Conv2d(1, 32, 3), relu(), nn.Conv2d(32, 64, 3), relu(), pool(), flat(),
            nn.Linear(9216, 128), relu(), nn.Linear(128, 10)),
        "cnn5": lambda: nn.Sequential(
            nn.Conv2d(1, 32, 5, padding=2), relu(), pool(), nn.Conv2d(32, 64, 5, padding=2),
            relu(), pool(), flat(), nn.Linear(3136, 512), relu(), nn.Linear(512, 62)),
        "lstm": Lstm,
        "transformer": Transformer,
    }[name]()


def batches(torch, name, size):
    """Pairs of inputs and class targets."""
    shapes = {"lstm": (80, 90, 90, 1), "transformer": (64, 1000, 1000, 64)}
    if name in shapes:
        length, words, classes, targets = shapes[name]
        return [(torch.randint(words, (size, length)), torch.randint(classes, (size * targets,)))
                for _ in range(BATCHES)]
    classes = 62 if name == "cnn5" else 10
    return [(torch.randn(size, 1, 28, 28), torch.randint(classes, (size,)))
            for _ in range(BATCHES)]


def measure(torch, options):
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = build(torch, options.model)
    loss = torch.nn.CrossEntropyLoss()
    kind = torch.optim.Adam if options.optimizer == "adam" else torch.optim.SGD
    optimizer = kind(model.parameters(), lr=1e-4 if options.optimizer == "adam" else 1e-3)
    data = batches(torch, options.model, options.batch)

    start = now = time.perf_counter()
    counted_from, cpu_from, counted, step = None, None, 0, 0
    while now < start + options.seconds or counted == 0:
        x, y = data[step % BATCHES]
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()
        step += 1
        now = time.perf_counter()
        if counted_from is not None:
            counted += 1
        elif step >= 3 and now >= start + WARM_SHARE * options.seconds:
            counted_from, cpu_from = now, time.process_time()
    return {
        "model": options.model,
        "batch": options.batch,
        "threads": options.threads,
        "samples_per_s": counted * options.batch / (now - counted_from),
        "samples_per_cpu_s": counted * options.batch / (time.process_time() - cpu_from),
        "params": sum(p.numel() for p in model.parameters()),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "steps": counted,
    }


def main():
    if any(os.environ.get(key) != value for key, value in MALLOC.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **MALLOC})
    options = parse()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    import torch
    answer = measure(torch, options)
    if options.json:
        print(json.dumps(answer))
        return
    print("{model}, {params:,} parameters: {samples_per_s:,.0f} samples per second, "
          "{peak_rss_mb:.0f} MiB".format(**answer))


if __name__ == "__main__":
    main()
