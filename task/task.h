/* SPDX-License-Identifier: Apache-2.0 */
/* A task: what is trained, on which model, how often, and under which promises of privacy. Its YAML
 * text is the contract between a data scientist and the devices: everybody parses the same bytes,
 * and their hash goes into every mask of every round.
 *
 * What two parties must agree on bit for bit follows from the text through integers only. Reading a
 * text that passed task_parse once never fails on another machine for want of a number's last bit.
 * Fields are described for their authors in configs/tasks/README.md. */
#ifndef CAIRN_TASK_TASK_H
#define CAIRN_TASK_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "crypto/secagg.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/form.h"
#include "data/source.h"
#include "nn/model.h"
#include "nn/train.h"
#include "privacy/accountant.h"
#include "privacy/adaptive.h"
#include "privacy/correlated.h"
#include "privacy/encode.h"

#define TASK_NAME_MAX 48
#define TASK_ID_BYTES 16
#define TASK_NONCE_BYTES 16
#define TASK_TEXT_BYTES_MAX ((size_t)64 * 1024)
#define TASK_PARAMS_MAX ((size_t)1 << 28) /* weights of a model: 1 GiB of floats */
#define TASK_ROUNDS_MAX 100000u
#define TASK_COHORT_MAX SECAGG_DEVICES_MAX /* above SECAGG_COMPLETE_MAX only where a ring holds */

enum task_unit {
    TASK_UNIT_EXAMPLE, /* differential privacy for each example of a device */
    TASK_UNIT_USER,    /* differential privacy for all that a device sends in a round */
    TASK_UNIT_NONE,    /* no differential privacy; the sum is still all that anyone sees */
};

enum task_weighting {
    TASK_WEIGHTING_EQUAL,    /* every device counts the same */
    TASK_WEIGHTING_EXAMPLES, /* by its number of examples, up to examples_max; unit none only */
};

/* What a learning-rate schedule spans. */
enum task_span {
    TASK_SPAN_ROUND, /* each round anew */
    TASK_SPAN_TASK,  /* all rounds: the round's number says where it goes on */
};

/* What privacy.clip_norm bounds, with unit example. */
enum task_clipping {
    TASK_CLIPPING_FLAT,      /* the norm of the whole gradient */
    TASK_CLIPPING_PER_LAYER, /* each layer's by itself, at clip_norm over the root of their number
                              */
};

enum task_strategy_name { TASK_STRATEGY_FEDAVG };

struct task_data {
    uint32_t classes;
    double mean;                 /* of the values, before they become (v - mean) / deviation */
    double deviation;            /* > 0 */
    struct data_column *columns; /* [column_count], tables: the features in their order, or NULL */
    uint32_t column_count;
    char **labels; /* [label_count] names of the classes 0, 1, ..., or NULL; what tables say */
    uint32_t label_count;
    struct data_column *targets; /* [target_count], numbers to predict: name, mean and deviation */
    uint32_t target_count;       /* 0: classes */
    struct data_text *text;      /* how text becomes tokens; NULL: bytes, or no text */
};

struct task_training {
    double learning_rate;
    double momentum;
    uint32_t steps; /* one of steps and epochs is 0 */
    uint32_t epochs;
    uint32_t batch;       /* examples; with sampling_rate > 0 the expected number */
    double sampling_rate; /* of each example, per step; 0: shuffled batches of exactly batch */
    enum task_weighting weighting;
    uint32_t examples_max; /* weighting by examples: more of them count as this many */
    double label_smoothing;
    struct optimiser_options optimiser; /* all but learning_rate and momentum, which are above */
    enum task_span schedule_over;
    char **freeze; /* [freeze_count] patterns of layers that stay as they are: model_freeze */
    uint32_t freeze_count;
    struct augment_options augment; /* zeroed: examples as they are */
};

/* Who adds the noise. */
enum task_placement {
    TASK_PLACEMENT_UNSAID,
    TASK_PLACEMENT_LOCAL,       /* each device all of it */
    TASK_PLACEMENT_CENTRAL,     /* the aggregator, which sees the sum before: unit user */
    TASK_PLACEMENT_DISTRIBUTED, /* each device a part, so that the honest survivors' parts are all
                                   of it: unit user */
};

struct task_privacy {
    enum task_unit unit;
    enum task_clipping clipping;   /* unit example */
    enum task_placement placement; /* never UNSAID when unit is not NONE */
    uint32_t honest_min;           /* distributed: so many survivors of every round are honest */
    double clip_quantile; /* 0: the clip is fixed; else it follows this quantile: adaptive.h */
    double clip_rate;
    double clip_count_noise;          /* standard deviation of the noise in the count */
    enum correlated_kind correlation; /* central: DP-FTRL's noise */
    uint32_t correlation_rounds; /* of a tree, or the band: also rounds from one participation of a
                                    device to its next */
    double clip_norm; /* L2 bound C of one example's gradient, or of one device's update; with
                         clip_quantile of the first round's */
    double noise_multiplier; /* standard deviation of the noise / clip_norm */
    double delta;
    double epsilon_max; /* 0: no limit of the task's own */
};

enum task_mode {
    TASK_MODE_UNSAID, /* of a file without the key: on */
    TASK_MODE_ON,     /* the aggregator sees sums only */
    TASK_MODE_OFF,    /* the aggregator sees every device's update, sealed to it on the way */
};

enum task_adversary { TASK_ADVERSARY_MALICIOUS, TASK_ADVERSARY_CURIOUS };

struct task_secagg {
    enum task_mode mode; /* never TASK_MODE_UNSAID */
    double update_range; /* L2 bound S of an update as it is sent */
    uint32_t threshold;  /* 0: more than two thirds of the roster */
    /* What the sparse graph of a large cohort has to bear; complete graphs bear more: */
    double corrupt; /* share of the devices that may help a lying aggregator */
    double dropout; /* share of the devices that may leave during a round */
    enum task_adversary adversary;
};

struct task_rounds {
    uint32_t count;
    uint32_t cohort_min; /* smallest roster and smallest number of survivors */
    uint32_t cohort_max;
    uint32_t gather_s; /* wait for cohort_max once cohort_min is there */
    uint32_t train_s;  /* deadlines of the phases */
    uint32_t keys_s;
    uint32_t exchange_s;
    uint32_t upload_s;
    uint32_t survivors_s;
    uint32_t reveal_s;
};

struct task_strategy {
    enum task_strategy_name name;
    double learning_rate; /* of the server: 1 is plain averaging */
};

struct task {
    char name[TASK_NAME_MAX + 1];
    struct model_spec model;
    uint64_t model_seed; /* of the initial weights */
    struct task_data data;
    struct task_training training;
    struct task_privacy privacy;
    struct task_secagg secure_aggregation;
    struct task_rounds rounds;
    struct task_strategy strategy;
    size_t params;  /* weights of the model */
    double epsilon; /* of one device after all rounds, at privacy.delta; 0 for unit none */
    char *text;     /* [len] and a zero: the exact bytes that were parsed */
    size_t len;
    uint8_t hash[HASH_BYTES]; /* hash_blob of the text: the plan's address, bound into rounds */
    void *parsed;             /* task.c's own */
};

/* Reads and checks a task. Returns ownership, to task_free. place is the name that diagnostics
 * carry. CN_E_CONFIG with line, column and what was expected: anything base/config refuses, numbers
 * out of range, layers that do not fit, settings that contradict each other; CN_E_BUDGET when all
 * rounds cost more than privacy.epsilon_max, with both numbers; CN_E_TOO_LARGE, CN_E_NOMEM.
 * Builds the model once to check it. */
enum cn_err task_parse(struct task **out, const char *text, size_t len, const char *place,
                       struct cn_diag *diag);

/* The same from a file. Also CN_E_NOT_FOUND and CN_E_IO. */
enum cn_err task_load(struct task **out, const char *path, struct cn_diag *diag);

void task_free(struct task *task);

/* The identity of one submission of a text: the first bytes of a hash over the plan's hash and a
 * nonce that the aggregator drew. */
void task_make_id(uint8_t id[TASK_ID_BYTES], const uint8_t hash[HASH_BYTES],
                  const uint8_t nonce[TASK_NONCE_BYTES]);

/* What the privacy accountant has to count for one device and one round in which it takes part.
 * False, and *event zeroed, for unit none. */
bool task_round_event(const struct task *task, struct accountant_event *event);

/* The epsilon of one device after `rounds` rounds, at privacy.delta, by RDP; neighbours by adding
 * or removing one example, or (unit user) one device's contributions. 0 for unit none. */
enum cn_err task_epsilon(const struct task *task, uint32_t rounds, double *epsilon);

/* Fills what one round's secure aggregation is built from, but the binding and the choice of masks:
 * both sides call this, and get the same. CN_E_CONFIG as of task_encode_plan. */
enum cn_err task_secagg_config(struct secagg_config *config, const struct task *task);

/* The part of it that says what graph large cohorts get. */
void task_secagg_ring(struct secagg_ring *ring, const struct task *task);

/* Makes a new model of the task with room for batch_max examples, its weights drawn from
 * model_seed, what training.freeze names frozen. Returns ownership, to model_free. */
enum cn_err task_model_new(struct model **out, const struct task *task, uint32_t batch_max,
                           struct cn_diag *diag);

/* The expectations that a device's data has to meet; valid as long as the task. */
struct data_form task_data_form(const struct task *task);

/* Loads a device's data as the task wants it. Returns ownership, to dataset_free. Errors as of
 * data_source_load; CN_E_DATA when there are fewer examples than training needs. */
enum cn_err task_data_load(struct dataset *set, const struct task *task,
                           const struct data_source *source, struct cn_diag *diag);

/* Fills the options of one round of local training but the noise, which the caller adds: with unit
 * example it must set noise and noise_ctx. */
void task_train_options(struct train_options *options, const struct task *task);

/* The same of round `round` from 0, below rounds.count: where a schedule over all rounds stands. */
void task_train_round(struct train_options *options, const struct task *task, uint32_t round);

const char *task_unit_text(enum task_unit unit);                /* "example", "user", "none" */
const char *task_placement_text(enum task_placement placement); /* "local", ..; "" for UNSAID */

/* The weight of the count that adaptive clipping lets travel, in clip norms; 0: none does. */
double task_rider(const struct task *task);

#define TASK_CLIP_KEY "clip_norm" /* beside the weights of a model: task_clip_text */
#define TASK_CLIP_TEXT_MAX 40

/* The norm that a round clips updates to, from the text beside the weights of the model that it
 * starts from: task_clip_text's, or NULL in a task's first model. Without adaptive clipping it is
 * the task's own. CN_E_DATA for a text that is no norm. */
enum cn_err task_clip_read(double *clip, const struct task *task, const char *text,
                           struct cn_diag *diag);

/* The norm in a form that gives every bit of it back. */
void task_clip_text(char out[TASK_CLIP_TEXT_MAX], double clip);

/* How the clip of the next round follows; quantile 0: it does not. */
struct adaptive task_adaptive(const struct task *task);

/* Whether the vectors that devices send carry the noise themselves (unit user). */
bool task_noise_on_devices(const struct task *task);

/* The noise that the aggregator correlates over rounds; kind CORRELATED_NONE: it does not. Searches
 * the factor, which takes up to some seconds. CN_E_NOMEM. */
enum cn_err task_correlated_plan(struct correlated_plan *plan, const struct task *task);

/* The first round in which a device may take part again after round last. */
uint32_t task_next_round(const struct task *task, uint32_t last);

#endif
