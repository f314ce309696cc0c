/* SPDX-License-Identifier: Apache-2.0 */
/* Layers of sequences that this build refuses by name until their operations are here. */
#include "nn/model_internal.h"

static enum cn_err refuse(struct layer *layer, struct cn_diag *diag)
{
    return layer_fault(layer, diag, CN_E_CONFIG, "this build does not have it");
}

#define REFUSED(kind) const struct layer_ops kind##_ops = {.name = #kind, .infer = refuse}

REFUSED(embedding);
REFUSED(position);
REFUSED(slice);
REFUSED(lstm);
REFUSED(gru);
REFUSED(attention);
REFUSED(encoder);
REFUSED(decoder);
