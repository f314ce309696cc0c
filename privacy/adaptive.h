/* SPDX-License-Identifier: Apache-2.0 */
/* A clip norm that follows a quantile of the updates' norms, at a price that is counted.
 *
 * Every device adds to its vector one more number, rider * (b - 1/2), b being 1 if its update was
 * not longer than the clip norm. The sum of these numbers tells, noised like all others, how many
 * were not; the clip norm of the next round is the old one times exp(-rate (share - quantile)).
 *
 * Noise: with multiplier z for the whole vector and sigma_b wanted for the count, the update's own
 * multiplier is z_delta = (z^-2 - (2 sigma_b)^-2)^-1/2. In a vector of one noise for all numbers
 * this is a rider of z_delta / sigma_b clip norms: the device's length becomes
 * sqrt(1 + rider^2 / 4) clip norms and the noise z times that, so z is what the vector costs.
 * Source: Andrew, Thakkar, McMahan, Ramaswamy, NeurIPS 2021, algorithm 1 and theorem 1. */
#ifndef CAIRN_PRIVACY_ADAPTIVE_H
#define CAIRN_PRIVACY_ADAPTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define ADAPTIVE_CLIP_MIN 0x1p-40
#define ADAPTIVE_CLIP_MAX 0x1p40

struct adaptive {
    double quantile; /* 0 < .. < 1: of the updates shall not be clipped; 0: the clip is fixed */
    double rate;     /* > 0, at most 1: of adapting; 0.2 is usual */
    double sigma;    /* standard deviation of the noise in the count; about devices / 20 */
};

/* The multiplier that the update itself gets. CN_E_CONFIG unless 0 < z < 2 sigma. */
enum cn_err adaptive_noise(double *z_delta, double z, double sigma);

/* The weight of the count, in clip norms. CN_E_CONFIG as adaptive_noise. */
enum cn_err adaptive_rider(double *rider, double z, double sigma);

/* What a device adds: half the rider, or minus half of it. */
double adaptive_bit(double rider, bool within);

/* The next round's clip norm: sum is the decoded sum of the riders in clip norms. The share is kept
 * within 0 .. 1 and the norm within ADAPTIVE_CLIP_MIN .. MAX. CN_E_CONFIG for what is out of range,
 * with *next = clip. */
enum cn_err adaptive_next(double *next, double clip, const struct adaptive *adaptive, double rider,
                          double sum, uint32_t devices);

#endif
