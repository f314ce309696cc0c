/* SPDX-License-Identifier: Apache-2.0 */
/* A model: a chain of layers over one flat vector of weights, its memory planned once.
 *
 * A specification (from a task file) becomes a model whose shapes are inferred and whose
 * activations, gradients and scratch lie in one arena; after model_new nothing allocates. A model
 * is used by one thread at a time.
 *
 * The weights are one float[d]; tensors are views into it, laid out as PyTorch lays them out:
 * dense [units, inputs], conv2d [filters, channels, kernel, kernel], each followed by its bias. */
#ifndef CAIRN_NN_MODEL_H
#define CAIRN_NN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/random.h"
#include "nn/loss.h"

#define MODEL_LAYERS_MAX 256u /* of a specification, and of what its blocks become */
#define MODEL_TENSORS_MAX (4 * MODEL_LAYERS_MAX)
#define MODEL_NAME_MAX 80
#define MODEL_LABEL_MAX 32  /* a layer's own name, with the final zero */
#define MODEL_INPUT "input" /* what `from` calls the model's input */
#define MODEL_RANK_MAX 4
#define MODEL_SIZE_MAX 65536u /* of any one number in a specification */
#define MODEL_PARAMS_MAX ((size_t)1 << 28)
#define MODEL_BATCH_MAX 4096u
#define MODEL_BATCH_AUTO 0u /* let model_new choose */

enum layer_kind {
    LAYER_UNKNOWN = 0,
    LAYER_DENSE,        /* units */
    LAYER_CONV2D,       /* filters, kernel, stride (default 1), padding, groups (default 1) */
    LAYER_MAX_POOL,     /* kernel, stride (default kernel), padding */
    LAYER_AVERAGE_POOL, /* the same; counts the zeros of the padding */
    LAYER_RELU,
    LAYER_TANH,
    LAYER_FLATTEN,
    LAYER_LEAKY_RELU, /* slope (default 0.01) of what is below 0 */
    LAYER_GELU,       /* x times the normal distribution's cumulative probability of x */
    LAYER_SILU,       /* x sigmoid(x) */
    LAYER_SIGMOID,
    LAYER_SOFTMAX,             /* over the channels of each place */
    LAYER_GLOBAL_AVERAGE_POOL, /* of each channel */
    LAYER_GLOBAL_MAX_POOL,     /* of each channel */
    LAYER_DROPOUT,             /* rate; does nothing outside of training */
    LAYER_LAYER_NORM,          /* over the channels of each place; gain and bias per channel */
    LAYER_RMS_NORM,            /* the same without mean and bias */
    LAYER_GROUP_NORM,          /* groups; over all places of each group of channels */
    LAYER_RESIDUAL,            /* from: adds that layer's output; projection */
    /* Of sequences: a sequence of T steps of C values is the shape {C, 1, T}. */
    LAYER_EMBEDDING, /* units: a learned vector for each token; the input has a vocabulary */
    LAYER_POSITION,  /* adds sines and cosines of the step, or with learned a learned vector */
    LAYER_SLICE,     /* start, length: some steps of its input; length 1 gives a flat vector */
    LAYER_LSTM,      /* units, layers (default 1); sequence: all outputs and not only the last */
    LAYER_GRU,       /* as lstm */
    LAYER_ATTENTION, /* heads, causal, mask_padding, memory (cross attention) */
    LAYER_ENCODER,   /* a block: heads, units (feed-forward), causal, mask_padding, pre_norm, rate,
                        activation */
    LAYER_DECODER,   /* as encoder, always causal, and memory; memory's padding is masked alike */
    LAYER_KIND_COUNT
};

/* One layer as a person writes it; a number that the kind does not use must be 0. */
struct layer_spec {
    enum layer_kind kind;
    uint32_t units;   /* dense: outputs */
    uint32_t filters; /* conv2d: output channels */
    uint32_t kernel;  /* conv2d and pools: height and width of the window */
    uint32_t stride;  /* conv2d and pools; 0: the default of the kind */
    uint32_t padding; /* conv2d and pools: places on each side, fewer than kernel: zeros, or to
                         max_pool what is never the largest */
    uint32_t groups;  /* conv2d, group_norm: divides channels and filters; conv2d, 0: 1 */
    uint32_t from;    /* number of an earlier layer, from 1. residual: adds its output to the layer
                         before. Any other kind: reads it in place of the layer before */
    double slope;     /* leaky_relu, above 0 and below 1; 0: the default */
    double rate;      /* dropout: probability of a value to become 0, above 0 and below 1 */
    unsigned line;    /* where it stands in the task file, for diagnostics; 0: unknown */

    char name[MODEL_LABEL_MAX];   /* optional; a letter first, unlike any other layer's */
    char source[MODEL_LABEL_MAX]; /* in place of from: a layer's name or number, or MODEL_INPUT */
    char memory[MODEL_LABEL_MAX]; /* attention, decoder: name or number of the layer whose output
                                     gives keys and values; attention without it: its own input */
    uint32_t heads;               /* attention, encoder, decoder: divides the channels */
    uint32_t layers;              /* lstm, gru: that many on top of each other; 0: 1 */
    uint32_t start, length;       /* slice: steps [start, start + length) */
    bool sequence;                /* lstm, gru: gives the output of every step */
    bool causal;                  /* attention, encoder: no step sees a later one */
    bool mask_padding;            /* attention, encoder, decoder: token 0 is seen by no step */
    bool pre_norm;                /* encoder, decoder: norms before, not after, each part */
    bool learned;                 /* position */
    bool projection;              /* residual: a 1x1 convolution where the shapes differ */
    enum layer_kind activation;   /* encoder, decoder: relu (default), gelu or silu */
};

struct model_spec {
    uint32_t channels, height, width; /* of one example; a table has channels = height = 1 */
    uint32_t vocabulary;   /* 0: the input is values; else width token numbers below it, channels =
                              height = 1 */
    struct loss_spec loss; /* zeroed: cross-entropy */
    struct layer_spec layers[MODEL_LAYERS_MAX];
    uint32_t layer_count;
};

/* A view into the weights. name is e.g. "0.conv2d.weight" (layers from 0, those of a block counted
 * one by one), with a layer's own name "0.NAME.conv2d.weight"; valid as long as the model. */
struct model_tensor {
    const char *name;
    uint32_t rank;
    uint32_t shape[MODEL_RANK_MAX];
    size_t offset; /* of its first weight */
    size_t count;  /* product of shape */
    bool frozen;   /* stays as it is: model_freeze */
};

struct model;

/* Gives the kind called name (as in the enum, in small letters: "dense", "max_pool"), or
 * LAYER_UNKNOWN. */
enum layer_kind layer_kind_parse(const char *name);

/* Names the kind; "unknown" outside the enum. Never NULL. */
const char *layer_kind_name(enum layer_kind kind);

/* Builds the model and plans all its memory; weights are zero. Returns ownership, to model_free.
 *
 *   batch_max  examples that run through the layers at a time (a larger batch is cut into such
 *              micro-batches, so this decides memory and speed, never results beyond rounding);
 *              MODEL_BATCH_AUTO chooses so that a micro-batch stays in the cache
 *   diag       a fault is named by layer (from 1), its line and both shapes, e.g.
 *              "layer 4 (conv2d, line 17): kernel 8x8 is larger than its input 5x5 + padding 0"
 *
 * The last layer's outputs are the logits of the classes, for every position if it gives a
 * sequence; with a loss of real numbers, the predictions. CN_E_CONFIG for a number outside its
 * range, CN_E_SHAPE where shapes do not fit, CN_E_TOO_LARGE past the limits above, CN_E_NOMEM. */
enum cn_err model_new(struct model **out, const struct model_spec *spec, uint32_t batch_max,
                      struct cn_diag *diag);

/* Frees the model. NULL is allowed. */
void model_free(struct model *model);

/* Number of weights, d. */
size_t model_params(const struct model *model);

/* The weights [d], to read and to write; valid as long as the model. */
float *model_weights(struct model *model);
const float *model_weights_const(const struct model *model);

/* Values of one example going in, and logits coming out: outputs for each of positions (1 unless
 * the last layer gives a sequence). */
size_t model_features(const struct model *model);
uint32_t model_outputs(const struct model *model);
uint32_t model_positions(const struct model *model);

/* The loss of the specification, defaults filled in. */
struct loss_spec model_loss(const struct model *model);

/* Freezes the layers whose name or number (from 1, as in the specification) matches pattern, with
 * '*' and '?' as in file names: their gradient is not computed, stays 0, and adds nothing to norms;
 * no backward pass goes where nothing learns. CN_E_NOT_FOUND when no layer with weights matches,
 * CN_E_CONFIG when nothing would be left to learn; nothing is frozen then. */
enum cn_err model_freeze(struct model *model, const char *pattern, struct cn_diag *diag);

/* Lets all layers learn again. */
void model_thaw(struct model *model);

/* Sets what belongs to frozen tensors to 0 in v [d]: noise, or a step of an optimiser. */
void model_zero_frozen(const struct model *model, float *v);

uint32_t model_batch_max(const struct model *model);

/* Bytes planned for weights, activations, gradients and scratch. */
size_t model_bytes(const struct model *model);

/* The tensors in the order of the weights; together they cover [0, d) without a gap. */
uint32_t model_tensor_count(const struct model *model);
const struct model_tensor *model_tensor_at(const struct model *model, uint32_t index);

/* Draws initial weights: uniform with bound 1 / sqrt(fan in), as PyTorch's layers do. */
void model_init_weights(struct model *model, const struct cn_random *random);

/* Copies weights in [d]. CN_E_DIVERGED when one is not finite; the model is then unchanged. */
enum cn_err model_set_weights(struct model *model, const float *weights);

/* Computes the logits of n examples.
 *
 *   logits  [n, positions, outputs], out
 *   x       [n, features], each channels, height, width
 *   n       any; runs in micro-batches */
void model_forward(struct model *model, float *logits, const float *x, size_t n);

/* As model_forward, but gives the softmax of each row of outputs: the probabilities of the classes;
 * with binary cross-entropy the sigmoid of each output. */
void model_probabilities(struct model *model, float *probabilities, const float *x, size_t n);

#define MODEL_LAYER_TEXT_MAX 160

/* Describes a layer for people: "conv2d 16 filters 8x8 stride 2 padding 2: 1x28x28 -> 16x13x13,
 * 1040 parameters". index from 0; returns out. */
const char *model_describe(const struct model *model, uint32_t index,
                           char out[MODEL_LAYER_TEXT_MAX]);

uint32_t model_layer_count(const struct model *model);

#endif
