/* SPDX-License-Identifier: Apache-2.0 */
/* A whole training on one machine: steps, a look at test data now and then, an early end when that
 * stops improving, checkpoints on the way.
 *
 * Looking at test data does not touch the training's generator or weights. Ending early is a choice
 * by the test data: under differential privacy that data must be public. */
#ifndef CAIRN_NN_FIT_H
#define CAIRN_NN_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "nn/checkpoint.h"
#include "nn/evaluate.h"
#include "nn/train.h"

/* What is known after a look: training numbers since the look before. */
struct fit_report {
    uint32_t step, steps;
    double loss; /* of training, mean over its examples; 0 when there were none */
    bool tested; /* the rest is filled in */
    struct evaluate_result test;
    bool best; /* no look before had a smaller test loss */
};

typedef void (*fit_report_fn)(void *ctx, const struct fit_report *report);

/* Zero is "not used". */
struct fit_options {
    struct train_options train; /* its progress is called after every step */
    const struct dataset *test; /* borrowed */
    uint32_t every;             /* steps between looks; 0: an epoch, or a tenth with Poisson */
    uint32_t patience;          /* looks without a smaller test loss that end it; needs test. The
                                   weights of the best look are then the result */
    const char *checkpoint;     /* file, written with every look and when progress ends it */
    bool resume;                /* go on where the file left off, if it is there */
    uint8_t identity[CHECKPOINT_IDENTITY_BYTES]; /* of task, data and options */
    struct cn_seeded *seeded; /* random's, to be kept in checkpoints; NULL: it is not kept */
    fit_report_fn report;
    void *report_ctx;
};

struct fit_result {
    struct train_result train;
    struct evaluate_result test; /* of the weights that are the result */
    uint32_t resumed_at;         /* steps that were done before; 0: none */
    uint32_t best_step;          /* with patience: of the weights */
    bool stopped_early;
};

/* Trains the model. A training that is ended (progress) and goes on from its checkpoint has the
 * same bits in the end as one that was not, with a generator that is kept. CN_E_CONFIG also for
 * patience without test data; errors of train_run, evaluate_run and checkpoint_save or _load. After
 * CN_E_DEADLINE the checkpoint, if one was asked for, is of the last step. */
enum cn_err fit_run(struct model *model, const struct dataset *data,
                    const struct fit_options *options, const struct cn_random *random,
                    struct fit_result *result, struct cn_diag *diag);

#endif
