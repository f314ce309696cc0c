/* SPDX-License-Identifier: Apache-2.0 */
/* Spreads a vector's length evenly over its coordinates, so that none of a sum is far from the
 * others and few bits hold them all: random signs, then the Walsh-Hadamard transform.
 *
 * The vector is cut into blocks of ROTATE_BLOCK and a rest of falling powers of two, so nothing is
 * padded. All devices of a round use one public seed; the aggregator turns the sum back.
 * Source: Kairouz, Liu, Steinke 2021, algorithm 1; Ailon, Chazelle 2006. */
#ifndef CAIRN_PRIVACY_ROTATE_H
#define CAIRN_PRIVACY_ROTATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ROTATE_SEED_BYTES 32
#define ROTATE_BLOCK ((size_t)1 << 14)

/* v <- H D v in place: orthogonal, so norms stay what they are but for rounding (2^-24 times the
 * square root of log2 of the block, about). Each coordinate of a block of size B is then, over the
 * seed, subgaussian with the block's norm / sqrt B.
 *
 *   v     [d]
 *   seed  the signs: one bit of ChaCha20's stream for each coordinate, the same on every machine
 *
 * About 2 ms for a million coordinates. CN_E_NOMEM, CN_E_RANDOM; v is then unchanged. */
enum cn_err rotate_forward(float *v, size_t d, const uint8_t seed[ROTATE_SEED_BYTES]);

/* v <- D H v: undoes rotate_forward, but for rounding. */
enum cn_err rotate_inverse(float *v, size_t d, const uint8_t seed[ROTATE_SEED_BYTES]);

/* The transform alone, divided by sqrt n: its own inverse. n is a power of two. rotate_hadamard_ref
 * is the definition, butterfly by butterfly; the tests compare them. */
void rotate_hadamard(float *v, size_t n);
void rotate_hadamard_ref(float *v, size_t n);

#endif
