#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a round of three devices, computed from docs/secure-aggregation.md
alone, in plain Python (RFC 8032, RFC 8439, RFC 9496, FIPS 197; hashlib's BLAKE2b). Slow, not constant-time,
for vectors only. Usage: generate.py > three-devices.txt; generate.py aes > three-devices-aes.txt"""
import hashlib
import struct
import sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


# -- the curve: extended coordinates, a = -1 --------------------------------------------------
def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def mul(k, p):
    q = (0, 1, 1, 0)
    while k:
        if k & 1:
            q = add(q, p)
        p, k = add(p, p), k >> 1
    return q


def base():
    y = 4 * pow(5, P - 2, P) % P
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * SQRT_M1 % P
    x = x if x % 2 == 0 else P - x
    return x, y, 1, x * y % P


G = base()


def le32(n):
    return n.to_bytes(32, "little")


# -- RFC 8032 ---------------------------------------------------------------------------------
def ed_encode(p):
    z = pow(p[2], P - 2, P)
    x, y = p[0] * z % P, p[1] * z % P
    return le32(y | (x & 1) << 255)


def ed_key(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little") & (1 << 254) - 8 | 1 << 254
    return a, h[32:], ed_encode(mul(a, G))


def ed_sign(seed, message):
    a, prefix, public = ed_key(seed)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % L
    big_r = ed_encode(mul(r, G))
    k = int.from_bytes(hashlib.sha512(big_r + public + message).digest(), "little") % L
    return big_r + le32((r + k * a) % L)


# -- RFC 9496, ristretto255 -------------------------------------------------------------------
def negative(x):
    return x % P & 1


def absolute(x):
    return -x % P if negative(x) else x % P


def sqrt_ratio(u, v):
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    good, flipped = check == u % P, check == -u % P
    flipped_i = check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return good or flipped, absolute(r)


INVSQRT_A_MINUS_D = sqrt_ratio(1, -1 - D)[1]


def encode(p):
    x0, y0, z0, t0 = p
    u1, u2 = (z0 + y0) * (z0 - y0) % P, x0 * y0 % P
    inv = sqrt_ratio(1, u1 * u2 * u2 % P)[1]
    den1, den2 = inv * u1 % P, inv * u2 % P
    z_inv = den1 * den2 * t0 % P
    if negative(t0 * z_inv):
        x, y, den = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    else:
        x, y, den = x0, y0, den2
    if negative(x * z_inv):
        y = -y % P
    return le32(absolute(den * (z0 - y)))


def decode(b):
    s = int.from_bytes(b, "little")
    ss = s * s % P
    u1, u2 = (1 - ss) % P, (1 + ss) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, inv = sqrt_ratio(1, v * u2 * u2 % P)
    dx = inv * u2 % P
    dy = inv * dx * v % P
    x = absolute(2 * s * dx)
    y = u1 * dy % P
    assert square and not negative(x * y) and y
    return x, y, 1, x * y % P


# -- RFC 8439 ---------------------------------------------------------------------------------
def chacha20(key, length):
    out = b""
    for counter in range((length + 63) // 64):
        state = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
        state += [counter, 0, 0, 0]
        w = state[:]

        def quarter(a, b, c, d):
            for x, y, z, r in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                w[x] = (w[x] + w[y]) & 0xFFFFFFFF
                t = w[z] ^ w[x]
                w[z] = (t << r | t >> (32 - r)) & 0xFFFFFFFF

        for _ in range(10):
            for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                      (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                quarter(*q)
        out += struct.pack("<16I", *((x + y) & 0xFFFFFFFF for x, y in zip(w, state)))
    return out[:length]


# -- FIPS 197 and SP 800-38A --------------------------------------------------------------------
def sbox():
    p = q = 1
    box = [0x63] * 256
    while True:
        p = p ^ (p << 1 & 0xFF) ^ (0x1B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        box[p] = q ^ 0x63
        for r in (1, 2, 3, 4):
            box[p] ^= (q << r | q >> (8 - r)) & 0xFF
        if p == 1:
            return box


SBOX = sbox()


def aes256_keys(key):
    w = [key[i:i + 4] for i in range(0, 32, 4)]
    rcon = 1
    for i in range(8, 60):
        t = w[-1]
        if i % 8 == 0:
            t = bytes(SBOX[b] for b in t[1:] + t[:1])
            t, rcon = bytes([t[0] ^ rcon]) + t[1:], rcon << 1
        elif i % 8 == 4:
            t = bytes(SBOX[b] for b in t)
        w.append(bytes(a ^ b for a, b in zip(w[i - 8], t)))
    return [b"".join(w[i:i + 4]) for i in range(0, 60, 4)]


def aes256_block(keys, block):
    def double(b):
        return b << 1 & 0xFF ^ (0x1B if b & 0x80 else 0)

    state = bytes(a ^ b for a, b in zip(block, keys[0]))
    for r in range(1, 15):
        state = bytes(SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16))
        if r < 14:
            mixed = []
            for c in range(0, 16, 4):
                col = state[c:c + 4]
                whole = col[0] ^ col[1] ^ col[2] ^ col[3]
                mixed += [col[i] ^ whole ^ double(col[i] ^ col[(i + 1) % 4]) for i in range(4)]
            state = bytes(mixed)
        state = bytes(a ^ b for a, b in zip(state, keys[r]))
    return state


def aes256ctr(key, length):
    keys = aes256_keys(key)
    return b"".join(aes256_block(keys, n.to_bytes(16, "big"))
                    for n in range((length + 15) // 16))[:length]


# -- docs/secure-aggregation.md ---------------------------------------------------------------
def hashed(label, *parts):
    data = bytes([len(label)]) + label.encode()
    for part in parts:
        part = struct.pack(">Q", part) if isinstance(part, int) else part
        data += struct.pack(">Q", len(part)) + part
    return hashlib.blake2b(data, digest_size=32).digest()


def signed(seed, label, message):
    return ed_sign(seed, hashed("cairn-sign", label.encode(), message))


def pack(vector, bits):
    n = sum((x & (1 << bits) - 1) << i * bits for i, x in enumerate(vector))
    return n.to_bytes((len(vector) * bits + 7) // 8, "little")


def words(seed, dim, bits, prg):
    size = 2 if bits <= 16 else 4
    stream = (aes256ctr if prg else chacha20)(seed, dim * size)
    return [int.from_bytes(stream[i * size:(i + 1) * size], "little") % 2**bits
            for i in range(dim)]


def scalar(name, k):
    return int.from_bytes(hashlib.sha512(f"{name} {k}".encode()).digest(), "little") % L


class Device:
    def __init__(self, k):
        self.seed = hashlib.sha256(f"identity {k}".encode()).digest()
        self.public = ed_key(self.seed)[2]
        self.id = hashed("cairn-device-id", self.public)[:16]
        self.invitation_seed = hashlib.sha256(f"invitation {k}".encode()).digest()
        self.invitation = hashed("cairn-invitation-id", ed_key(self.invitation_seed)[2])[:16]
        self.secrets = [scalar(name, k) for name in ("mask", "seal", "self")]
        self.keys = [encode(mul(s, G)) for s in self.secrets]
        self.entry = self.id + self.invitation + hashed("cairn-secagg-member-1", self.public,
                                                        *self.keys)


def say(name, value):
    print(f"{name} = {value.hex() if isinstance(value, bytes) else value}")


def main():
    dim, bits, threshold, prg = 40, 20, 3, int("aes" in sys.argv)
    binding = hashlib.sha256(b"binding").digest()
    devices = sorted((Device(k) for k in range(3)), key=lambda d: d.id)
    head = binding + struct.pack(">IBB", dim, bits, prg)
    session = hashed("cairn-secagg-session-2", binding, dim, bits, prg, threshold, len(devices),
                     b"".join(d.entry for d in devices))
    print("# See README.md.")
    say("binding", binding)
    say("dim", dim)
    say("bits", bits)
    say("prg", prg)
    say("threshold", threshold)
    say("session", session)

    def pair(i, j):
        return session + struct.pack(">II", min(i, j), max(i, j))

    total = [0] * dim
    vouch = hashed("cairn-secagg-survivors-1", session, 3, 0, 1, 2)
    for i, d in enumerate(devices):
        vector = [(i * 7919 + n * 104729) % 2**bits for n in range(dim)]
        total = [a + b for a, b in zip(total, vector)]
        say(f"identity_seed_{i}", d.seed)
        say(f"device_public_{i}", d.public)
        say(f"device_id_{i}", d.id)
        say(f"invitation_seed_{i}", d.invitation_seed)
        say(f"entry_{i}", d.entry)
        for name, secret, key in zip(("mask", "seal", "self"), d.secrets, d.keys):
            say(f"{name}_secret_{i}", le32(secret))
            say(f"{name}_public_{i}", key)
        say(f"keys_signature_{i}", signed(d.seed, "cairn-secagg-keys-2", head + b"".join(d.keys)))
        say(f"input_{i}", pack(vector, bits))
        seed = hashed("cairn-secagg-self-2", session, i, prg, le32(d.secrets[2]))
        say(f"self_seed_{i}", seed)
        vector = [a + b for a, b in zip(vector, words(seed, dim, bits, prg))]
        for j, other in enumerate(devices):
            if i == j:
                continue
            point = encode(mul(d.secrets[0], decode(other.keys[0])))
            seed = hashed("cairn-secagg-mask-2", pair(i, j) + bytes([prg]), point)
            sign = 1 if i < j else -1
            vector = [a + sign * b for a, b in zip(vector, words(seed, dim, bits, prg))]
            if i < j:
                say(f"mask_seed_{i}_{j}", seed)
                point = encode(mul(d.secrets[1], decode(other.keys[1])))
                say(f"seal_key_{i}_{j}", hashed("cairn-secagg-seal-1", pair(i, j), point))
        say(f"masked_{i}", pack(vector, bits))
        say(f"vouch_{i}", signed(d.seed, "cairn-secagg-vouch-1", vouch))
    say("vouch_message", vouch)
    say("sum", pack(total, bits))


main()
