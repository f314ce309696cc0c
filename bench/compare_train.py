#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs `cairn bench train` and bench/peers/train_torch.py in turns and prints the ratios.

Every pair is one run of each, one after the other, so that a busy moment of the machine hits both;
the ratio of a row is the median of its pairs' ratios. Beside it the ratio of samples per second of
processor time, which other jobs disturb less. With --dp or --threads 2 cairn is compared with
itself: plain, or one thread. --write puts the tables into bench/RESULTS.md.
"""
import argparse
import json
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
TORCH = [sys.executable, str(HERE / "peers" / "train_torch.py")]
# (model, batch, target of the median ratio to PyTorch with one thread; None: no target)
ROWS = [
    ("logistic", 32, 2.0), ("logistic", 10, None), ("mlp", 32, 1.5), ("mlp", 10, 2.5),
    ("cnn3", 32, 1.4), ("cnn5", 32, 1.4), ("lstm", 32, 1.8), ("transformer", 32, 1.5),
]
# Rows of cairn against itself: the model, the batch.
OWN = [(m, b) for m in ("mlp", "cnn3", "cnn5") for b in (32, 256)]


def parse():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--cairn", default="build/release/bin/cairn", help="the program")
    p.add_argument("--models", default="", help="only these, separated by commas")
    p.add_argument("--pairs", type=int, default=5)
    p.add_argument("--seconds", type=float, default=3.0, help="of each run")
    p.add_argument("--optimizer", default="sgd", choices=["sgd", "adam"])
    p.add_argument("--threads", type=int, default=1, help="2: cairn with 2 threads against 1")
    p.add_argument("--dp", action="store_true", help="cairn clipping per example against plain")
    p.add_argument("--write", action="store_true", help="into bench/RESULTS.md")
    return p.parse_args()


def run(command, model, batch, options, extra=()):
    line = [*command, "--model", model, "--batch", str(batch), "--optimizer", options.optimizer,
            "--seconds", str(options.seconds), "--json", *extra]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(line)} failed:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def pairs(options, left, right):
    """Runs left and right in turns, who begins changes; gives both lists."""
    answers = ([], [])
    for i in range(options.pairs):
        for which in ((0, 1) if i % 2 == 0 else (1, 0)):
            answers[which].append((left, right)[which]())
    return answers


def middle(answers, key="samples_per_s"):
    return statistics.median(a[key] for a in answers)


def row(model, batch, target, ours, theirs):
    ratios, cpu = ([a[key] / b[key] for a, b in zip(ours, theirs)]
                   for key in ("samples_per_s", "samples_per_cpu_s"))
    return (f"| {model}, {batch} | {middle(ours):,.0f} | {middle(theirs):,.0f} "
            f"| {min(ratios):.2f} **{statistics.median(ratios):.2f}** {max(ratios):.2f} "
            f"| {statistics.median(cpu):.2f} | {target or ''} | {middle(ours, 'peak_rss_mb'):.0f} / "
            f"{middle(theirs, 'peak_rss_mb'):.0f} | {middle(ours, 'gflops'):.0f} |")


def table(options):
    """The rows' commands: cairn against PyTorch, or against itself."""
    cairn = [options.cairn, "bench", "train"]
    if options.dp or options.threads > 1:
        extra = ["--dp"] if options.dp else ["--threads", str(options.threads)]
        rows = OWN if options.dp else ([(m, b) for m, b, _ in ROWS if b == 32] +
                                       [("logistic", 256), ("mlp", 256)])
        target = 0.6 if options.dp else 0.9 * options.threads
        return [(m, b, target, lambda m=m, b=b: run(cairn, m, b, options, extra),
                 lambda m=m, b=b: run(cairn, m, b, options)) for m, b in rows]
    return [(m, b, t, lambda m=m, b=b: run(cairn, m, b, options),
             lambda m=m, b=b: run(TORCH, m, b, options)) for m, b, t in ROWS]


def title(options):
    if options.dp:
        return f"Clipping per example against plain, {options.optimizer}, 1 thread"
    if options.threads > 1:
        return f"{options.threads} threads against 1, {options.optimizer}"
    return f"cairn against PyTorch, {options.optimizer}, 1 thread"


def machine():
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    commit = subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True).stdout.strip()
    return f"{cpu.group(1) if cpu else platform.processor()}, commit {commit or 'unknown'}"


def write(heading, lines):
    """Replaces the table under this heading, or adds it behind the others."""
    text = RESULTS.read_text()
    body = f"### {heading}\n\n" + "\n".join(lines) + "\n"
    found = re.search(rf"### {re.escape(heading)}\n\n(?:.*\n)(?:\n\|.*|\|.*\n)+", text)
    if found:
        text = text.replace(found.group(0), body)
    else:
        mark = "<!-- tables of compare_train.py end here -->\n"
        if mark not in text:
            sys.exit(f"bench: {RESULTS} has no line '{mark.strip()}'")
        text = text.replace(mark, f"{body}\n{mark}")
    RESULTS.write_text(text)


def main():
    options = parse()
    other = "plain" if options.dp else "1 thread" if options.threads > 1 else "PyTorch"
    lines = [f"{machine()}; {options.pairs} pairs of {options.seconds:g} s each.", "",
             f"| model, batch | cairn, samples/s | {other} | ratio min **median** max | by CPU time | target "
             "| peak MiB | GFLOP/s |", "|---|---|---|---|---|---|---|---|"]
    print(f"### {title(options)}\n\n" + "\n".join(lines), flush=True)
    wanted = [m for m in options.models.split(",") if m]
    for model, batch, target, ours, theirs in table(options):
        if wanted and model not in wanted:
            continue
        lines.append(row(model, batch, target, *pairs(options, ours, theirs)))
        print(lines[-1], flush=True)
    if options.write:
        write(title(options), lines)


if __name__ == "__main__":
    main()
