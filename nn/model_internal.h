/* SPDX-License-Identifier: Apache-2.0 */
/* What the layers, the model and the gradients share: the planned graph.
 *
 * A layer is a row of operations over planned buffers. Activations [n, height, width, channels] are
 * channels-last; a flat vector of f values is the shape {f, 1, 1}. Gradients of activations have
 * the activation's shape and belong to the same examples. */
#ifndef CAIRN_NN_MODEL_INTERNAL_H
#define CAIRN_NN_MODEL_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "data/dataset.h"
#include "nn/kernels.h"
#include "nn/model.h"

#define MODEL_FEATURES_MAX ((uint64_t)1 << 24) /* of one activation of one example */
#define MODEL_KERNEL_MAX 1024u
#define SHAPE_TEXT_MAX 48
#define MODEL_SHARED_MAX (6 * MODEL_LAYERS_MAX + 1)
#define LAYER_TENSORS_MAX 4u
#define LAYER_NONE UINT32_MAX /* in place of a layer's place: no layer */

struct shape {
    uint32_t channels, height, width;
};

/* How a layer finds the norms of its per-example gradients, the cheapest for its sizes. */
enum norm_way {
    NORM_NONE,
    NORM_PRODUCT, /* dense: |dy|^2 (|x|^2 + 1) */
    NORM_KEEP,    /* each example's gradient is made once and kept until the factors are known */
    NORM_TWICE,   /* made in scratch for its norm; the weighted sum is computed anew */
    NORM_GRAM     /* from the inner products of patches and of output gradients */
};

struct layer_ops;

struct layer {
    const struct layer_ops *ops;
    struct layer_spec spec; /* defaults filled in */
    uint32_t index;         /* from 0 */
    uint32_t number; /* of the layer in the specification that it is, or is part of, from 1 */
    enum layer_kind written; /* the kind of that layer */
    /* Places: 0 is the model's input, i the output of layers[i - 1]. */
    uint32_t input;      /* what it reads; index unless `from` says otherwise */
    uint32_t other;      /* what it reads besides (residual, cross attention), or LAYER_NONE */
    uint32_t vocabulary; /* of its output; 0: values, not tokens */
    uint32_t tokens;     /* the place whose tokens its output's steps belong to, or LAYER_NONE */
    uint32_t keys_of;    /* attention: the place of the tokens of keys, or LAYER_NONE */
    struct shape in, out;
    struct shape in_other; /* of `other` */
    struct window window;  /* conv2d and pools */
    size_t weight, bias;   /* offsets into the weights, when it has parameters */
    size_t weight_count, bias_count;
    float *x, *y;       /* [batch_max, in], [batch_max, out]; the same memory for layers in place */
    float *dx, *dy;     /* gradients; dx NULL when nothing before this layer learns */
    uint32_t *tap;      /* max_pool: [batch_max, out] */
    float *packed;      /* weights, turned for the forward product */
    float *packed_back; /* conv2d: weights, turned for the backward product */
    float *sum;         /* conv2d: the gradient while it is summed, weights packed, then bias */
    float *state;       /* what forward leaves for backward; the kind's own */
    float *kept;        /* NORM_KEEP: [batch_max, weight_count + bias_count], packed */
    enum norm_way way;
    float *dother; /* gradient of what `other` gave; its shape is that output's */
    void *own;     /* the kind's own struct, in the arena */
    bool shared;   /* not only the next layer reads its output */
    bool frozen;   /* by model_freeze */
    bool learns;   /* has weights that are not frozen */
    bool reached;  /* it or something it reads learns, so its dy is wanted */
};

/* What a layer's weights are, in their order. */
struct layer_tensor {
    const char *part; /* "weight" */
    uint32_t rank;
    uint32_t shape[MODEL_RANK_MAX];
};

/* Which of the later fields of a specification a kind may use. */
enum layer_may {
    MAY_HEADS = 1 << 0, /* must */
    MAY_LAYERS = 1 << 1,
    MAY_STEPS = 1 << 2, /* start; length must be there */
    MAY_SEQUENCE = 1 << 3,
    MAY_CAUSAL = 1 << 4,
    MAY_MASK = 1 << 5,
    MAY_PRE_NORM = 1 << 6,
    MAY_LEARN = 1 << 7,
    MAY_PROJECT = 1 << 8,
    MAY_MEMORY = 1 << 9,
    MUST_MEMORY = 1 << 10,
    MAY_ACTIVATION = 1 << 11,
    MAY_RATE = 1 << 12,
    MAY_TOKENS = 1 << 13 /* reads tokens, not only values */
};

/* One kind of layer. NULL where there is nothing to do. n examples are in the buffers. */
struct layer_ops {
    const char *name;
    bool in_place;     /* y may be x */
    bool needs_output; /* backward reads y, so the next layer must not work in place */
    bool draws;        /* forward uses the examples' keys while model->dropping */
    bool uses_units, uses_filters, uses_window, uses_padding, uses_slope, uses_rate;
    bool may_use_groups, uses_from;
    unsigned may;        /* enum layer_may */
    bool inner;          /* backward runs for the weights' sake too, then with dx NULL */
    uint32_t batch_wish; /* examples that a micro-batch should have at least; 0: any */
    bool starts_even;    /* initial weights are 1 and biases 0, not drawn */
    uint32_t rank;       /* of the weight tensor; 0: no parameters */

    /* Sets out, window and parameter counts from in and spec. */
    enum cn_err (*infer)(struct layer *layer, struct cn_diag *diag);
    /* Lists the tensors; NULL: "weight" by rank, then "bias". Gives their number. */
    uint32_t (*tensors)(const struct layer *layer, struct layer_tensor out[LAYER_TENSORS_MAX]);
    /* Draws the initial weights; NULL: uniform by fan in. */
    void (*init)(const struct layer *layer, float *weights, const struct cn_random *random);
    /* Floats of its own that one example fills; NULL: few. */
    size_t (*floats)(const struct layer *layer);
    /* Takes what it needs from the model's arena and claims scratch. */
    enum cn_err (*plan)(struct layer *layer, struct model *model);
    /* Before any forward with new weights: packs them. A replica has them from its primary. */
    void (*prepare)(struct layer *layer, const struct model *model);
    /* Before its own sum of gradients starts from zero. */
    void (*begin)(struct layer *layer, const struct model *model);
    void (*forward)(struct layer *layer, struct model *model, uint32_t n);
    /* dx from dy, and dother; dx is there unless `inner`, dy always. */
    void (*backward)(struct layer *layer, struct model *model, uint32_t n);
    /* Adds to model->squares [n] the square of the norm of each example's gradient. */
    void (*norms)(struct layer *layer, struct model *model, uint32_t n);
    /* Adds the sum of the gradients to sum [d] or its own sum; example b weighs factors[b] when
     * factors is given, and then norms ran before and dy may be spoilt. */
    void (*gradient)(struct layer *layer, struct model *model, uint32_t n, float *sum,
                     const float *factors);
    /* Moves its own sum into sum [d]. */
    void (*finish)(struct layer *layer, const struct model *model, float *sum);
};

struct model {
    struct cn_arena arena;
    const struct model *primary;     /* of a replica: whose weights it uses; else NULL */
    const struct model_spec *spec;   /* in the arena */
    float *shared[MODEL_SHARED_MAX]; /* what replicas use too, in the order of allocation */
    uint32_t shared_count;
    bool prepared; /* the weights are packed already; prepare would be wasted */
    const struct kernels *kernels;
    struct layer layers[MODEL_LAYERS_MAX];
    uint32_t layer_count;
    uint32_t ends[MODEL_LAYERS_MAX + 1]; /* place of the output of each layer as specified */
    uint32_t first;     /* the first layer that learns; layer_count if there is none */
    uint32_t learning;  /* layers that learn */
    uint32_t positions; /* of the last layer's output */
    struct shape in;
    struct loss_spec loss;
    uint32_t vocabulary; /* of the input */
    float *x;            /* [batch_max, in] */
    struct model_tensor tensors[MODEL_TENSORS_MAX];
    char names[MODEL_TENSORS_MAX][MODEL_NAME_MAX];
    uint32_t tensor_count;
    size_t d;
    float *weights;
    uint32_t batch_max;
    float *scratch; /* [scratch_count]; any operation may spoil it */
    size_t scratch_count;
    double *squares;                /* [batch_max] of the layers that are being summed */
    double *all_squares;            /* [layers with weights, batch_max] */
    float *factors;                 /* [layers with weights, batch_max] */
    uint64_t *keys;                 /* [batch_max] of the examples, while dropping */
    const struct cn_random *random; /* of the training; NULL outside */
    double smoothing;               /* of labels, in gradients */
    bool draws;                     /* some layer does */
    bool dropping;                  /* a forward pass of training is under way */
};

extern const struct layer_ops dense_ops, conv2d_ops, max_pool_ops, average_pool_ops, relu_ops,
    tanh_ops, flatten_ops, leaky_relu_ops, gelu_ops, silu_ops, sigmoid_ops, softmax_ops,
    global_average_pool_ops, global_max_pool_ops, dropout_ops, layer_norm_ops, rms_norm_ops,
    group_norm_ops, residual_ops, embedding_ops, position_ops, slice_ops, lstm_ops, gru_ops,
    attention_ops, encoder_ops, decoder_ops;
/* conv2d with more than one group; dense on a sequence */
extern const struct layer_ops conv2d_groups_ops, dense_sequence_ops;

/* Gives the operations of a kind, NULL for LAYER_UNKNOWN. */
const struct layer_ops *layer_ops_of(enum layer_kind kind);

static inline size_t shape_count(struct shape shape)
{
    return (size_t)shape.channels * shape.height * shape.width;
}

static inline bool shape_is_flat(struct shape shape)
{
    return shape.height == 1 && shape.width == 1;
}

/* One row of steps: a flat vector is a sequence of one step. */
static inline bool shape_is_sequence(struct shape shape)
{
    return shape.height == 1;
}

/* Writes "512" or "16x13x13"; returns out. */
const char *shape_text(struct shape shape, char out[SHAPE_TEXT_MAX]);

/* Keeps "layer 4 (conv2d, line 17): ..." in diag and returns err. */
__attribute__((format(printf, 4, 5))) enum cn_err layer_fault(const struct layer *layer,
                                                              struct cn_diag *diag, enum cn_err err,
                                                              const char *format, ...);

/* Allocates a * b zeroed floats in the model's arena. */
enum cn_err model_floats(struct model *model, float **out, size_t a, size_t b);

/* The same for what follows from the weights alone: a replica gets its primary's. */
enum cn_err model_shared_floats(struct model *model, float **out, size_t a, size_t b);

/* Builds a second model for another thread: the primary's shapes, weights and packed weights, with
 * activations, gradients and scratch of its own. The primary must outlive it, be prepared by
 * model_prepare before the replica runs, and keep its weights until the replica is done. Returns
 * ownership, to model_free. CN_E_NOMEM. */
enum cn_err model_replica(struct model **out, const struct model *primary);

/* Gives a replica the settings of a training (label smoothing and the like) of its primary. */
void model_follow(struct model *replica);

/* Makes sure that scratch will hold count floats. */
void model_claim_scratch(struct model *model, size_t count);

/* Copies an example [channels, height, width] into channels-last at place b of the first layer. */
void model_put_example(struct model *model, uint32_t b, const float *x);

/* Completes the dy of a layer, once the layers behind it have run backward: what the next layer did
 * not write, and what others that read its output hand back. */
void model_collect(struct model *model, const struct layer *source, uint32_t n);

/* The values and their gradients at a place; the gradient is NULL where nothing is wanted. */
float *model_at(const struct model *model, uint32_t place);
float *model_gradient_at(const struct model *model, uint32_t place);
struct shape model_shape_at(const struct model *model, uint32_t place);

/* Draws count weights between -bound and bound. */
void model_draw_uniform(float *weights, size_t count, double bound, const struct cn_random *random);

/* model_infer.c: fills model->layers and all that follows from the specification alone. */
enum cn_err model_infer(struct model *model, const struct model_spec *spec, struct cn_diag *diag);

/* Sets learns, reached, first and learning from the tensors' frozen. */
void model_reach(struct model *model);

/* Examples of a micro-batch that stays in the cache. */
uint32_t model_batch_auto(const struct model *model);

/* Appends a layer that a specified layer becomes, and infers it; what it reads is `input`.
 * `written` lends number, line and name. */
enum cn_err model_append(struct model *model, const struct layer *written,
                         const struct layer_spec *spec, uint32_t input, uint32_t other,
                         struct cn_diag *diag);

/* block.c: appends what layer becomes, or sets *whole when it is one layer as it is. */
enum cn_err block_expand(struct model *model, const struct layer *layer, bool *whole,
                         struct cn_diag *diag);

/* Runs prepare and begin of all layers; call after the weights may have changed. */
void model_prepare(struct model *model);

/* Runs n examples, which were put, through all layers; gives the logits [n, outputs]. */
const float *model_run(struct model *model, uint32_t n);

#endif
