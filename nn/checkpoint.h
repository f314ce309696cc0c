/* SPDX-License-Identifier: Apache-2.0 */
/* A training in a file, so that it goes on after an interruption as if there had been none:
 * weights, the optimiser's state, the order of the examples and the place in it, the steps and what
 * was seen, and the generator's state where that may be written down.
 *
 * What follows from the caller's inputs (the model's layers, the data, the options) is not in the
 * file; identity stands for it. The file holds weights and what follows from single examples: it is
 * as private as the data, mode 0600. A seeded generator's state is kept, a cryptographic one's
 * never is: it would tell which examples were drawn. */
#ifndef CAIRN_NN_CHECKPOINT_H
#define CAIRN_NN_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/random.h"
#include "nn/train.h"

#define CHECKPOINT_IDENTITY_BYTES 32
#define CHECKPOINT_EXTRA_MAX 16u

/* What stands in the file beside the training. */
struct checkpoint {
    uint8_t identity[CHECKPOINT_IDENTITY_BYTES]; /* of task, data and options: must be the same */
    struct cn_seeded *seeded;           /* the training's generator, borrowed; NULL: not kept */
    double extra[CHECKPOINT_EXTRA_MAX]; /* the caller's own */
    float *best;                        /* [d], borrowed: weights the caller keeps; or NULL */
};

/* Largest file of the training: what readers need as a maximum. */
size_t checkpoint_bytes_max(const struct train *train);

/* Appends the file's bytes to out. CN_E_TOO_LARGE past out's maximum, CN_E_NOMEM. */
enum cn_err checkpoint_encode(struct cn_buf *out, const struct train *train,
                              const struct checkpoint *checkpoint);

/* Puts the training, which was just made from the same model, data and options, where the file left
 * it, and with it checkpoint's extra, *seeded and best [d]. checkpoint->identity is compared.
 *
 * CN_E_PARSE for bytes that are cut, changed or not ours; CN_E_CONFIG when the file is of another
 * task, data or options, or kept a generator where this training has none (or the other way
 * round); CN_E_DIVERGED for numbers that are not finite. On failure nothing is changed. */
enum cn_err checkpoint_decode(struct train *train, struct checkpoint *checkpoint, const void *bytes,
                              size_t len, const char *place, struct cn_diag *diag);

/* Writes the file, whole or not at all, mode 0600. Errors of cn_file_write and checkpoint_encode.
 */
enum cn_err checkpoint_save(const char *path, const struct train *train,
                            const struct checkpoint *checkpoint, struct cn_diag *diag);

/* Reads the file. Errors of cn_file_read and checkpoint_decode. */
enum cn_err checkpoint_load(struct train *train, struct checkpoint *checkpoint, const char *path,
                            struct cn_diag *diag);

#endif
