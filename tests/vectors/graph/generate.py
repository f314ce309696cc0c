#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes ring.txt: for a few seeds and sizes the neighbours of every position, from the words of
crypto/graph.h alone. Plain Python; ChaCha20 from RFC 8439. Usage: generate.py > ring.txt
Lines: devices degree seed, then one line of neighbours for each position."""
import struct


def rotate(value, bits):
    return (value << bits | value >> 32 - bits) & 0xFFFFFFFF


def block(key, counter):
    start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
    start += [counter, 0, 0, 0]
    s = start[:]

    def quarter(a, b, c, d):
        for x, y, z, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            s[z] = rotate(s[z] ^ s[x], bits)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(x + y) & 0xFFFFFFFF for x, y in zip(s, start)]


def words(key):
    counter = 0
    while True:
        yield from block(key, counter)
        counter += 1


def ring(devices, degree, seed):
    stream, tenant = words(seed), list(range(devices))
    for i in range(devices - 1, 0, -1):
        word = next(stream)
        while word >= 2**32 // (i + 1) * (i + 1):
            word = next(stream)
        j = word % (i + 1)
        tenant[i], tenant[j] = tenant[j], tenant[i]
    place = {device: i for i, device in enumerate(tenant)}
    for device in range(devices):
        around = range(1, degree // 2 + 1)
        yield sorted({tenant[(place[device] + s * sign) % devices]
                      for s in around for sign in (1, -1)})


for devices, degree, first in ((5, 2, 0), (12, 4, 7), (12, 10, 7), (40, 6, 200)):
    seed = bytes((first + i) % 256 for i in range(32))
    print(devices, degree, seed.hex())
    for neighbours in ring(devices, degree, seed):
        print(*neighbours)
