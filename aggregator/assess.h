/* SPDX-License-Identifier: Apache-2.0 */
/* How good a published model is on the operator's own test data. Heavy, for a pool's thread; the
 * round loop never waits for it. The data set is loaded once and kept for the next round. */
#ifndef CAIRN_AGGREGATOR_ASSESS_H
#define CAIRN_AGGREGATOR_ASSESS_H

#include "aggregator/registry.h"
#include "aggregator/store.h"
#include "data/dataset.h"
#include "nn/evaluate.h"
#include "task/task.h"

/* What stays between two calls; zeroed it is ready. */
struct assess_cache {
    uint8_t plan[HASH_BYTES];
    char test[DATA_SOURCE_TEXT_MAX];
    struct task *task;
    struct model *model;
    struct dataset data;
};

struct assess {
    /* In: */
    struct assess_cache *cache; /* this call's alone while it runs */
    const struct registry *registry;
    uint8_t plan[HASH_BYTES];
    uint8_t model[HASH_BYTES];
    char test[DATA_SOURCE_TEXT_MAX];
    /* Out: */
    enum cn_err err;
    struct cn_diag diag;
    struct evaluate_result result;
    double seconds;
};

void assess_run(struct assess *job);

void assess_cache_clear(struct assess_cache *cache);

/* Loads test data as the task wants it; for assess_run, and for `task submit` to try it. Returns
 * ownership. source is text as data_source_parse reads it. */
enum cn_err assess_load(struct dataset *data, const struct task *task, const char *source,
                        struct cn_diag *diag);

#endif
