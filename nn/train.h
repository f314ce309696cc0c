/* SPDX-License-Identifier: Apache-2.0 */
/* Local training: batches, steps, clipping per example, a call-back for noise, an optimiser.
 *
 * This file knows how to clip per example and calls back with the clipped sum; it does not know
 * what the call-back adds or why. Everything random comes from the generator handed in, so a seed
 * and a number of threads give the same bits on the same machine; under differential privacy hand
 * in a cryptographic one, because the secrecy of the samples is part of the guarantee. */
#ifndef CAIRN_NN_TRAIN_H
#define CAIRN_NN_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/random.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "nn/model.h"
#include "nn/optimiser.h"
#include "nn/team.h"

#define TRAIN_STEPS_MAX 100000000u

/* Adds noise, in place, to the sum of the clipped gradients of one batch. An error ends the
 * training with that error. */
typedef enum cn_err (*train_noise_fn)(void *ctx, float *clipped_sum, size_t d);

/* Called after every step, step from 1. Returning true ends the training with CN_E_DEADLINE. */
typedef bool (*train_progress_fn)(void *ctx, uint32_t step, uint32_t steps);

/* Zero is "not used" everywhere. */
struct train_options {
    double learning_rate;               /* > 0 */
    double momentum;                    /* in [0, 1) */
    struct optimiser_options optimiser; /* the rest of it; its learning_rate and momentum stay 0 */
    double label_smoothing; /* in [0, 1): this share of each label is spread over all classes */
    uint32_t batch;         /* shuffled batches of this size; the last of an epoch may be smaller */
    uint32_t epochs;        /* either epochs or steps */
    uint32_t steps;         /* batches; with shuffled batches a new epoch starts as needed */
    double sampling_rate;   /* Poisson batches: each example with this probability; batch unused */
    uint32_t threads;       /* that share each batch, at most TEAM_THREADS_MAX; 0: one */
    uint32_t batch_limit; /* Poisson: a batch of more examples ends the training, CN_E_TOO_LARGE */
    double clip_norm;     /* per example, L2 */
    bool clip_per_layer;  /* each layer's share of the gradient by itself, see gradient.h */
    uint32_t expected_batch; /* divide by this constant and not by the batch's own size */
    uint32_t round;          /* with rounds: this training is the round-th, from 0, of so many */
    uint32_t rounds;         /* alike, which the schedule spans; 0: the schedule is this one's */
    train_noise_fn noise;    /* needs clip_norm and expected_batch */
    void *noise_ctx;
    const struct augment_options *augment; /* borrowed while it runs; NULL: examples as they are.
                                              Not with mix_up when gradients are clipped */
    train_progress_fn progress;
    void *progress_ctx;
};

/* The numbers of a training. Computed on the data without noise: under differential privacy they
 * must not leave the device, except steps. */
struct train_result {
    uint32_t steps;    /* done, the empty ones too */
    uint64_t examples; /* seen, repeats counted */
    uint64_t correct;  /* of them, as they were seen */
    double loss;       /* mean over examples, natural logarithm; 0 when none was seen */
    bool cancelled;    /* progress said so */
};

/* Checks options for a data set of n examples and gives the number of steps. CN_E_CONFIG, with the
 * option's name in diag. */
enum cn_err train_check(uint32_t *steps, const struct train_options *options, size_t n,
                        struct cn_diag *diag);

/* A training under way, for callers that look at it between steps. */
struct train;

/* Starts a training of the model's weights, in place. Everything is borrowed until train_free but
 * options, which are copied. Returns ownership, to train_free. Errors as of train_run's inputs. */
enum cn_err train_new(struct train **out, struct model *model, const struct dataset *data,
                      const struct train_options *options, const struct cn_random *random);

/* Frees it; the model keeps its weights. NULL is allowed. */
void train_free(struct train *train);

/* Makes one step. Errors as of train_run while it runs; after one, only train_free is allowed. */
enum cn_err train_step(struct train *train);

/* The steps of the whole training; it has ended when train_result_of says as many. */
uint32_t train_steps(const struct train *train);

/* What was seen up to now. */
struct train_result train_result_of(const struct train *train);

/* Trains the model's weights in place.
 *
 * Every step: a batch; the sum of its gradients, clipped per example when clip_norm is set; noise
 * when there is one, also for an empty Poisson batch, which makes its step like any other; division
 * by expected_batch when set, else by the batch's size (an empty batch without expected_batch and
 * noise changes nothing); the optimiser, whose state starts at zero and whose schedule runs over
 * the steps of this training. All of that comes behind the noise, so it costs no privacy. A Poisson
 * batch takes every example by its own 64-bit draw below floor(sampling_rate * 2^64), so with a
 * probability at most 2^-64 short of the rate, never above it.
 *
 * Allocates two vectors of d floats (and the optimiser's: up to three more) and n indices. result
 * is written on failure too. CN_E_CONFIG, CN_E_SHAPE and CN_E_DATA for inputs that do not fit
 * (train_check and gradient_check say it in words), CN_E_DIVERGED when a loss, a gradient's norm or
 * a weight is not finite, CN_E_DEADLINE when progress ended it, CN_E_NOMEM, or what noise returned:
 * the weights are then somewhere on the way and must be thrown away. Source: Abadi et al., CCS
 * 2016, algorithm 1. */
enum cn_err train_run(struct model *model, const struct dataset *data,
                      const struct train_options *options, const struct cn_random *random,
                      struct train_result *result);

#endif
