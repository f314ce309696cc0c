/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that test the promise: what a training with canaries proves about epsilon from below, and
 * how well members of the training data can be told from others.
 *
 * The attacker of the canaries sees more than anybody ever will: every noised sum, and the real
 * gradients that went into it, which it takes off. Only what each canary did is hidden: whether it
 * is in (a fair coin, once), and which steps drew it. Against that attacker the proven epsilon must
 * hold; a bound above it is a bug. Sources: Steinke, Nasr, Jagielski 2023 (one run); Carlini et al.
 * 2022 (LiRA). */
#ifndef CAIRN_CLI_AUDIT_EMPIRICAL_H
#define CAIRN_CLI_AUDIT_EMPIRICAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/progress.h"
#include "data/dataset.h"
#include "task/task.h"

#define EMPIRICAL_CANARIES_MAX 100000u
#define EMPIRICAL_SHADOWS_MAX 64u
#define EMPIRICAL_CURVE 61u
#define EMPIRICAL_TRIES 6u

enum empirical_canary {
    EMPIRICAL_DIRAC,    /* the whole clip norm in one coordinate, another for each canary */
    EMPIRICAL_GRADIENT, /* the clip norm in a random direction over all coordinates */
};

struct empirical_options {
    const struct task *task;
    const struct dataset *data;
    enum empirical_canary canary;
    uint32_t canaries;   /* 16 to EMPIRICAL_CANARIES_MAX; dirac: at most one per coordinate */
    double noise_scale;  /* 1: the task's noise; 0: none; else a planted bug */
    double significance; /* of each bound: 0.05 is wrong in one audit of twenty, at most */
    uint32_t threads;
    struct cn_progress *progress; /* started with a total of empirical_steps; may be NULL */
};

struct empirical_result {
    uint32_t canaries, guesses, correct; /* of the best try */
    double epsilon_proven;               /* what the task promises for all rounds, tight */
    double epsilon_lower;                /* by the guesses: assumes nothing about the mechanism */
    double auc;                          /* of the canaries' scores */
    double noise_multiplier;             /* as measured on every coordinate of every step */
    double noise_multiplier_high;        /* its upper confidence limit */
    double epsilon_lower_noise; /* lowest epsilon that Gaussian noise of at most that size has */
    uint64_t noise_samples;
    bool violated; /* a lower bound is above the proven one */
    double loss;   /* of the trained model on the data it was trained on */
    double accuracy;
};

/* Steps (unit example) or rounds (unit user) of one run. */
uint64_t empirical_steps(const struct task *task);

/* Trains once with canaries. CN_E_CONFIG, with words in diag, for a task without privacy or with
 * noise of another shape than one Gaussian's, for data that is too small and options out of range;
 * errors of training; CN_E_NOMEM. */
enum cn_err empirical_run(struct empirical_result *result, const struct empirical_options *options,
                          const struct cn_random *random, struct cn_diag *diag);

/* ---- membership ---- */

struct members_options {
    const struct task *task; /* unit example or none */
    const struct dataset *data;
    uint32_t models; /* 3 to EMPIRICAL_SHADOWS_MAX: each is attacked with all others as shadows */
    double noise_scale; /* as above */
    uint32_t threads;
    struct cn_progress *progress; /* started with a total of models; may be NULL */
};

struct members_curve {
    double tpr[EMPIRICAL_CURVE]; /* share of members found at each fpr */
    double auc;
    double tpr_at_1_percent, tpr_at_1_permille;
};

struct members_result {
    uint32_t models, examples;   /* each model is trained on a random half of the examples */
    double fpr[EMPIRICAL_CURVE]; /* logarithmic, 0.0001 to 1 */
    struct members_curve loss;   /* a threshold on the loss */
    struct members_curve lira;   /* likelihood ratio with shadow models */
};

/* Errors as above. */
enum cn_err members_run(struct members_result *result, const struct members_options *options,
                        const struct cn_random *random, struct cn_diag *diag);

/* The examples that one device holds, by the task's batch and rate; all of them without a rate. */
size_t empirical_device_examples(const struct task *task, size_t n);

/* Copies examples, by row, into a new data set. Returns ownership. */
enum cn_err empirical_pick(struct dataset *out, const struct dataset *data, const uint32_t *rows,
                           size_t n);

/* Whether the data and the task are such that attacks know what to do. */
enum cn_err empirical_check(const struct task *task, const struct dataset *data,
                            struct cn_diag *diag);

#endif
