/* SPDX-License-Identifier: Apache-2.0 */
/* Augmentation: changes an example, in place and at random, on its way into a batch.
 *
 * One example [channels, height, width] at a time; the order is fixed: flip, rotate, shift, crop,
 * brightness, noise, cut-out. Everything random comes from the generator handed in, so a seed gives
 * the same bits on the same machine. What moves in from outside the image is 0, the mean of
 * standardised values.
 *
 * Differential privacy per example: all of these but mix-up look at one example only, so a changed
 * example is still one example and its clipped gradient counts once. mix-up blends two: one person
 * then moves two gradients of a batch, which the accountant does not count, so it is refused there
 * (task/ says so with its place). */
#ifndef CAIRN_DATA_AUGMENT_H
#define CAIRN_DATA_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/random.h"
#include "data/dataset.h"

/* Zero is "not used" everywhere. Values are standardised ones. */
struct augment_options {
    uint32_t shift;    /* pixels, up to this many in both directions */
    uint32_t crop;     /* pads by this many pixels on each side and cuts a window anywhere in it */
    double flip;       /* probability of a mirror image, left to right */
    double flip_up;    /* of one upside down */
    double rotate;     /* degrees, up to this much either way, bilinear; at most 180 */
    double brightness; /* adds one number to all values, uniform in +- this */
    double noise;      /* standard deviation of normal noise on every value */
    double cut_out;    /* probability of a square of cut_out_size that becomes 0 */
    uint32_t cut_out_size; /* pixels; may lie over the edge */
    double mix_up;         /* alpha of Beta(alpha, alpha), the share of the first of two examples */
};

struct augment_shape {
    uint32_t channels;
    uint32_t height;
    uint32_t width;
};

/* True when an option is set. */
bool augment_any(const struct augment_options *options);

/* True when an option other than mix_up is set. */
bool augment_alone(const struct augment_options *options);

/* Checks the options against each other and the examples' shape. CN_E_CONFIG with the option's name
 * and what was expected in diag; no place, which only the caller knows. */
enum cn_err augment_check(const struct augment_options *options, const struct augment_shape *shape,
                          struct cn_diag *diag);

/* Values of scratch that augment_example needs: one plane of the image. */
size_t augment_scratch(const struct augment_shape *shape);

/* Changes the example x [channels, height, width] in place by all options but mix_up, which have
 * passed augment_check; scratch [augment_scratch(shape)]. No allocation. The number of draws
 * depends on the options and the shape only, but for noise (Box-Muller). */
void augment_example(float *x, float *scratch, const struct augment_options *options,
                     const struct augment_shape *shape, const struct cn_random *random);

/* Draws the share of the first example from Beta(alpha, alpha), alpha > 0: in [0, 1]. Source: Zhang
 * et al., ICLR 2018. */
double augment_mix_share(double alpha, const struct cn_random *random);

/* x = share * x + (1 - share) * other, over count values. */
void augment_mix(float *x, const float *other, double share, size_t count);

/* A batch of changed examples, kept from step to step. Zeroed is an empty one. */
struct augment_batch {
    struct dataset set; /* of the batch: rows 0, 1, ... */
    uint32_t *rows;     /* [set.n] 0, 1, ... */
    size_t room;
    float *scratch;
};

/* Copies the rows [n] of data into batch->set, n >= 1, and changes them: each example by itself,
 * then with mix_up each with one drawn from the same rows (as they were copied, not as they were
 * mixed). A mixed example has the mixed real targets; of two classes it takes the first's with the
 * share's probability, which is the mixed loss in expectation. Grows when a batch is larger than
 * any before; else allocates nothing. CN_E_TOO_LARGE, CN_E_NOMEM. */
enum cn_err augment_batch_fill(struct augment_batch *batch, const struct dataset *data,
                               const uint32_t *rows, size_t n,
                               const struct augment_options *options,
                               const struct cn_random *random);

void augment_batch_clear(struct augment_batch *batch);

#endif
