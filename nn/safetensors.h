/* SPDX-License-Identifier: Apache-2.0 */
/* Weights in files: the safetensors format, strictly.
 *
 * A file is 8 bytes of header length (little-endian), a JSON object of tensors {name: {dtype,
 * shape, data_offsets}}, then the tensors' bytes, contiguous. We write F32 only, tensors in the
 * order of the weights, the header padded with spaces to 8 bytes. We read any file that holds
 * exactly the model's tensors as finite F32, in any order, without gaps or overlaps.
 * Source: github.com/huggingface/safetensors, README. */
#ifndef CAIRN_NN_SAFETENSORS_H
#define CAIRN_NN_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/diag.h"
#include "base/err.h"
#include "nn/model.h"

#define SAFETENSORS_HEADER_MAX ((size_t)1 << 20)
#define SAFETENSORS_PAIRS_MAX 16u
#define SAFETENSORS_KEY_MAX 64
#define SAFETENSORS_VALUE_MAX 512

struct safetensors_pair {
    char key[SAFETENSORS_KEY_MAX];     /* UTF-8 */
    char value[SAFETENSORS_VALUE_MAX]; /* UTF-8 */
};

/* The file's "__metadata__": words beside the weights, e.g. the task's name and the round. */
struct safetensors_metadata {
    struct safetensors_pair pairs[SAFETENSORS_PAIRS_MAX];
    uint32_t count;
};

/* Adds or replaces a pair. CN_E_TOO_LARGE past the limits above. */
enum cn_err safetensors_metadata_set(struct safetensors_metadata *metadata, const char *key,
                                     const char *value);

/* Gives the value of key, valid as long as metadata, or NULL. */
const char *safetensors_metadata_get(const struct safetensors_metadata *metadata, const char *key);

/* Largest file that safetensors_encode makes for the model: what readers need as a maximum. */
size_t safetensors_bytes_max(const struct model *model);

/* Appends the model's weights as a file's bytes to out. metadata may be NULL. CN_E_TOO_LARGE when
 * out's maximum is passed, CN_E_PARSE when metadata is not UTF-8, CN_E_NOMEM. */
enum cn_err safetensors_encode(struct cn_buf *out, const struct model *model,
                               const struct safetensors_metadata *metadata);

/* Takes the weights from a file's bytes; place is what diag calls them.
 *
 *   metadata  out, may be NULL: the file's pairs (those that pass the limits above are refused)
 *
 * CN_E_PARSE for bytes that are not safetensors, CN_E_SHAPE when names, types or shapes are not the
 * model's (diag names the tensor, what was expected and what was found), CN_E_DIVERGED for a
 * weight that is not finite, CN_E_TOO_LARGE, CN_E_NOMEM. On failure the model is unchanged. */
enum cn_err safetensors_decode(struct model *model, const void *bytes, size_t len,
                               struct safetensors_metadata *metadata, const char *place,
                               struct cn_diag *diag);

/* Writes the weights to path, mode 0644, whole or not at all (cn_file_write). */
enum cn_err safetensors_save(const char *path, const struct model *model,
                             const struct safetensors_metadata *metadata, struct cn_diag *diag);

/* Reads the weights from path. Errors of cn_file_read and safetensors_decode. */
enum cn_err safetensors_load(struct model *model, const char *path,
                             struct safetensors_metadata *metadata, struct cn_diag *diag);

#endif
