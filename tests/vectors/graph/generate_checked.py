#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes checked.csv: what graph_plan_checked in crypto/graph.h must find, from its words, with
whole numbers of any size. Takes minutes. Usage: generate_checked.py > checked.csv"""
from math import comb


def weights(n, marked, k):
    return [comb(marked, x) * comb(n - marked, k - x) for x in range(k + 1)]


def likely(tail, n, k, bits, cases):
    return tail * cases * 2**bits > comb(n, k)


def most(n, marked, k, bits, cases):
    weight, tail = weights(n, marked, k), 0
    for x in range(k, 0, -1):
        tail += weight[x]
        if likely(tail, n, k, bits, cases):
            return x
    return 0


def least(n, marked, k, bits, cases):
    weight, tail = weights(n, marked, k), 0
    for x in range(k):
        tail += weight[x]
        if likely(tail, n, k, bits, cases):
            return x
    return k


def connected(n, gone, k, security):
    if k > gone:
        return True
    return n * (n - k - 1) * comb(n - k, gone - k) * 2 ** (security + 1) < 2 * comb(n, gone)


def curious(n, bad, good, k, security, correctness):
    if not connected(n, n - good + bad, k, security):
        return None
    threshold = max(2, most(n - 1, bad, k, security + 1, n) + 1)
    high = least(n - 1, good - 1, k, correctness, n)
    return (k, threshold, high, 0, 0) if threshold <= high else None


def malicious(n, bad, good, k, security, correctness):
    half = k // 2
    high = least(n - 1, good - 1, k, correctness, n)
    threshold = half + 2 + most(n - 1, bad, k, security + 1, n)
    if threshold > high:
        return None
    window = (half + most(n, bad, half, security + 1, n)) // 2 + 1
    if window > least(n, good, half, correctness, n):
        return None
    return k, threshold, high, window, threshold


def plan(n, corrupt, dropout, security, correctness, adversary):
    bad, good = -(-n * corrupt // 1000), n + (-n * dropout // 1000)
    if corrupt + dropout >= (500 if adversary else 1000):
        return ("",) * 5
    for k in range(2, n - 1, 2):
        found = (malicious if adversary else curious)(n, bad, good, k, security, correctness)
        if found:
            return found
    return ("",) * 5


print("devices,corrupt_permille,dropout_permille,security_bits,correctness_bits,malicious,degree,"
      "threshold,threshold_max,window_min,neighbours_min")
for n in (8, 12, 24, 100, 101, 200, 500, 1000, 1024):
    for corrupt, dropout in ((0, 100), (50, 50), (50, 100), (100, 100), (200, 100), (100, 300),
                             (330, 100), (100, 600)):
        for security, correctness in ((3, 2), (40, 20), (100, 20)):
            for adversary in (0, 1):
                if n >= 100 or security == 3:
                    print(n, corrupt, dropout, security, correctness, adversary,
                          *plan(n, corrupt, dropout, security, correctness, adversary), sep=",")
