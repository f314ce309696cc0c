#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes checked.csv: what graph_plan_checked in crypto/graph.h must find, from its words, with
whole numbers of any size. Takes minutes. Usage: generate_checked.py > checked.csv"""
from math import comb


def weights(n, marked, k):
    return [comb(marked, x) * comb(n - marked, k - x) for x in range(k + 1)]


def likely(tail, n, k, bits):
    return tail * n * 2**bits > comb(n, k)


def most(n, marked, k, bits):
    weight, tail = weights(n, marked, k), 0
    for x in range(k, 0, -1):
        tail += weight[x]
        if likely(tail, n, k, bits):
            return x
    return 0


def least(n, marked, k, bits):
    weight, tail = weights(n, marked, k), 0
    for x in range(k):
        tail += weight[x]
        if likely(tail, n, k, bits):
            return x
    return k


def plan(n, corrupt, dropout, security, correctness):
    bad, good = -(-n * corrupt // 1000), n + (-n * dropout // 1000)
    for k in range(2, n - 1, 2):
        low = most(n, bad, k, security + 1)
        threshold = max(2, low + 1)
        threshold_max = least(n, good, k, correctness)
        if threshold > threshold_max:
            continue
        window = least(n, good, k // 2, correctness)
        if window <= most(n, bad, k // 2, security + 1):
            continue
        if threshold_max + 2 * window > k + low:
            return k, threshold, threshold_max, window
    return "", "", "", ""


print("devices,corrupt_permille,dropout_permille,security_bits,correctness_bits,degree,threshold,"
      "threshold_max,window_min")
for n in (8, 12, 24, 100, 101, 200, 500, 1000, 1024):
    for corrupt, dropout in ((0, 100), (50, 50), (50, 100), (100, 100), (200, 100), (100, 300),
                             (330, 100), (100, 600)):
        for security, correctness in ((3, 2), (40, 20), (120, 20)):
            if n >= 100 or security == 3:
                print(n, corrupt, dropout, security, correctness,
                      *plan(n, corrupt, dropout, security, correctness), sep=",")
