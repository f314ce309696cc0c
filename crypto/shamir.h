/* SPDX-License-Identifier: Apache-2.0 */
/* Shamir's secret sharing over the scalars of ristretto255: t shares give the secret, t - 1 give
 * nothing. Source: Shamir, CACM 1979.
 *
 * A share is the value of a random polynomial of degree t - 1, whose constant term is the secret,
 * at a point: a small integer that is not zero. Recovering many secrets from one set of holders
 * computes the Lagrange weights once. */
#ifndef CAIRN_CRYPTO_SHAMIR_H
#define CAIRN_CRYPTO_SHAMIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"

#define SHAMIR_BYTES 32 /* secrets, shares and weights: scalars, little-endian */
#define SHAMIR_THRESHOLD_MIN 2u
#define SHAMIR_SHARES_MAX 2048u

/* Shares secret among count holders.
 *
 *   shares  [count]  out, secret
 *   points  [count]  strictly rising, the first above 0
 *   secret  a canonical scalar
 *
 * CN_E_CONFIG for a threshold below SHAMIR_THRESHOLD_MIN or above count, a count above
 * SHAMIR_SHARES_MAX or points out of order. threshold * count multiplications of scalars by small
 * numbers: about 10 ns each. */
enum cn_err shamir_split(uint8_t (*shares)[SHAMIR_BYTES], const uint32_t *points, uint32_t count,
                         uint32_t threshold, const uint8_t secret[SHAMIR_BYTES],
                         const struct cn_random *random);

/* Computes the Lagrange weights at zero of a set of points.
 *
 *   weights  [count]  out
 *   points   [count]  strictly rising, the first above 0
 *
 * CN_E_CONFIG for points out of order or a count of 0 or above SHAMIR_SHARES_MAX. count^2 / 15
 * multiplications of scalars and one inversion. */
enum cn_err shamir_weights(uint8_t (*weights)[SHAMIR_BYTES], const uint32_t *points,
                           uint32_t count);

/* Gives the sum of weights[i] * shares[i]: the secret, when the shares are at least threshold many
 * and right. Wrong shares give a wrong secret; check it against something public. */
void shamir_combine(uint8_t secret[SHAMIR_BYTES], const uint8_t (*shares)[SHAMIR_BYTES],
                    const uint8_t (*weights)[SHAMIR_BYTES], uint32_t count);

/* Shares of one secret, some of which may be wrong. */
struct shamir_set {
    const uint32_t *points;                /* [count] as for shamir_split */
    const uint8_t (*shares)[SHAMIR_BYTES]; /* [count] */
    uint32_t count;
    uint32_t threshold;
};

/* Says whether a candidate is the secret, by something public. */
typedef bool shamir_is_right(const void *ctx, const uint8_t secret[SHAMIR_BYTES]);

struct shamir_search {
    shamir_is_right *is_right;
    const void *ctx;              /* for is_right */
    uint64_t work_left;           /* in: multiplications it may take; out: what is left */
    bool *wrong;                  /* [count] out: shares that are wrong; none unless certain */
    uint8_t secret[SHAMIR_BYTES]; /* out */
    bool found;                   /* out: the secret was recovered */
    bool certain;                 /* out: wrong is complete and frames nobody */
};

#define SHAMIR_WORK_MAX (UINT64_C(1) << 26) /* some seconds */

/* Recovers a secret although some shares are wrong, and says which.
 *
 * Leaves out one share, then two, and so on, until threshold of the rest give the secret, and goes
 * on until at most (count + 1 - threshold) / 2 shares contradict the polynomial found: so many can
 * neither hide nor make others look wrong by conspiring. The secret is found with up to count -
 * threshold wrong shares, then without names, as long as the work lasts: always in sets of a dozen,
 * with a few wrong ones in sets of hundreds. CN_E_INCONSISTENT when it is not found; CN_E_CONFIG
 * for a set that shamir_split could not have given. */
enum cn_err shamir_recover(struct shamir_search *search, const struct shamir_set *set);

#endif
