/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of layers that slide a window over an image. */
#ifndef CAIRN_NN_WINDOW_H
#define CAIRN_NN_WINDOW_H

#include "nn/model_internal.h"

/* Fills layer->window and the height and width of layer->out from in and spec; stride must be set.
 * CN_E_SHAPE when the window is larger than the padded input, CN_E_CONFIG when the padding is not
 * smaller than the window. */
enum cn_err window_infer(struct layer *layer, struct cn_diag *diag);

/* Output places of one example. */
static inline size_t window_places(const struct window *w)
{
    return (size_t)w->out_height * w->out_width;
}

#endif
