/* SPDX-License-Identifier: Apache-2.0 */
/* What LSTM and GRU share: buffers in the order of time, products, norms, gradients.
 *
 * Inside, time comes first ([T, n, ...]), so that each step is one product over all examples; the
 * input's part of the gates is one product over all steps. Weights are PyTorch's: weight_ih [G H,
 * I], weight_hh [G H, H], bias_ih [G H], bias_hh [G H], with G gates. */
#ifndef CAIRN_NN_RECURRENT_H
#define CAIRN_NN_RECURRENT_H

#include "nn/elements.h"
#include "nn/model_internal.h"

struct recurrent {
    const struct elements *elements;
    uint32_t gates; /* G */
    size_t row;     /* floats from one example's gates to the next: G H and some, so that rows do
                       not meet in the same set of the cache */
    float *x;       /* [T, n, I] */
    float *h;       /* [T + 1, n, H], the first zero */
    float *c;       /* LSTM: as h */
    float *acts;    /* [T, n] rows: gates, then the gradients of what reached them */
    float *inner;   /* GRU: what the hidden state sends to the gates, then its gradients; LSTM:
                       acts, because both sides get the same */
    float *dh, *dc; /* [n, H] */
    float *bias;    /* LSTM: both biases added; GRU: the input's */
    float *in_forward, *in_back, *own_forward, *own_back; /* packed */
};

/* Operations of both kinds; infer sets gates by the kind. */
enum cn_err recurrent_infer(struct layer *layer, struct cn_diag *diag);
uint32_t recurrent_tensors(const struct layer *layer, struct layer_tensor out[LAYER_TENSORS_MAX]);
void recurrent_init(const struct layer *layer, float *weights, const struct cn_random *random);
size_t recurrent_floats(const struct layer *layer);
enum cn_err recurrent_plan(struct layer *layer, struct model *model);
void recurrent_prepare(struct layer *layer, const struct model *model);
void recurrent_norms(struct layer *layer, struct model *model, uint32_t n);
void recurrent_gradient(struct layer *layer, struct model *model, uint32_t n, float *sum,
                        const float *factors);

/* Puts x in the order of time and starts acts from W_ih x + bias, h and c from zero. */
void recurrent_begin_forward(struct layer *layer, struct model *model, uint32_t n);

/* out [n] rows = start + h of step t times W_hh^T; start: what out holds, or bias_hh. */
void recurrent_step(struct layer *layer, struct model *model, float *out, uint32_t t, uint32_t n,
                    bool add);

/* Gives y the outputs in its own order: all of them or the last. */
void recurrent_end_forward(struct layer *layer, uint32_t n);

/* Adds to dh [n, H] the gradient of step t's output. */
void recurrent_add_dy(struct layer *layer, const struct model *model, uint32_t t, uint32_t n);

/* dh [n, H] = (add: +) the rows of gradients times W_hh */
void recurrent_step_back(struct layer *layer, struct model *model, const float *rows, uint32_t n,
                         bool add);

/* dx, if wanted, from the gradients in acts. */
void recurrent_end_back(struct layer *layer, struct model *model, uint32_t n);

#endif
