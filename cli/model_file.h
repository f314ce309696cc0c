/* SPDX-License-Identifier: Apache-2.0 */
/* A safetensors file without knowing its model: for looking at it. Training and serving read models
 * through nn/safetensors, which knows what to expect. */
#ifndef CAIRN_CLI_MODEL_FILE_H
#define CAIRN_CLI_MODEL_FILE_H

#include <stdint.h>

#include <jansson.h>

#include "base/diag.h"
#include "base/err.h"

#define MODEL_FILE_BYTES_MAX ((size_t)4 << 30)
#define MODEL_FILE_TENSORS_MAX 4096u
#define MODEL_FILE_RANK_MAX 8
#define MODEL_FILE_NAME_MAX 128

struct model_file_tensor {
    char name[MODEL_FILE_NAME_MAX];
    char dtype[8];
    uint32_t rank;
    uint64_t shape[MODEL_FILE_RANK_MAX];
    uint64_t count; /* product of shape */
    double norm;    /* L2, of F32 tensors; NaN for others */
    uint64_t begin; /* bytes from the end of the header */
    uint64_t end;
};

struct model_file {
    struct model_file_tensor *tensors; /* [tensor_count] as they lie in the file */
    uint32_t tensor_count;
    uint64_t parameters;
    uint64_t bytes;
    json_t *metadata; /* an object of printable texts, empty if the file has none */
};

/* Reads a file. Cleared by model_file_clear. CN_E_PARSE with what is wrong and where for bytes that
 * are not safetensors, CN_E_TOO_LARGE, CN_E_NOT_FOUND, CN_E_IO, CN_E_NOMEM; file is then empty. */
enum cn_err model_file_read(struct model_file *file, const char *path, struct cn_diag *diag);

void model_file_clear(struct model_file *file);

#endif
