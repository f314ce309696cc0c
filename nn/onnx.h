/* SPDX-License-Identifier: Apache-2.0 */
/* A trained model as an ONNX file, for runtimes of other people.
 *
 * Opset 13; the weights are raw little-endian floats inside the file; the first dimension, the
 * batch, is free. Input "input" [batch, channels, height, width] as data files give it (a table:
 * [batch, columns]), output "logits". Dropout is left out, as always outside of training.
 * Source: github.com/onnx/onnx, docs/IR.md, docs/Operators.md, onnx/onnx.proto. */
#ifndef CAIRN_NN_ONNX_H
#define CAIRN_NN_ONNX_H

#include <stddef.h>

#include "base/cursor.h"
#include "base/diag.h"
#include "base/err.h"
#include "nn/model.h"

#define ONNX_BYTES_MAX (((size_t)1 << 31) - 1) /* of a file: protobuf's own limit */

/* Appends the file's bytes to out. name is the graph's, UTF-8. CN_E_CONFIG with the layer in diag
 * for one that ONNX can not say, CN_E_TOO_LARGE past out's maximum, CN_E_NOMEM. */
enum cn_err onnx_encode(struct cn_buf *out, const struct model *model, const char *name,
                        struct cn_diag *diag);

/* Writes it to path, mode 0644, whole or not at all (cn_file_write). */
enum cn_err onnx_save(const char *path, const struct model *model, const char *name,
                      struct cn_diag *diag);

#endif
