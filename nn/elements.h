/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one value at a time, or of one short row: exponentials, softmax, the cells of
 * recurrent layers.
 *
 * As with kernels.h, one source (elements_body.h) is compiled for several instruction sets, written
 * so that compilers turn the loops into vectors. Relative errors stay below 1e-6; NaN stays NaN.
 * Nothing allocates or fails. Results of two sets agree up to rounding, not bit for bit. */
#ifndef CAIRN_NN_ELEMENTS_H
#define CAIRN_NN_ELEMENTS_H

#include <stddef.h>
#include <stdint.h>

struct elements {
    const char *name;

    /* The largest of x [n], n >= 1. */
    float (*largest)(const float *x, size_t n);
    /* y = e^(x - shift), y may be x; gives the sum of y in double. x - shift <= 0 is expected: what
     * is above 88 counts as 88, what is below -87 as -87. */
    double (*exp_shifted)(float *y, const float *x, float shift, size_t n);
    /* y = softmax of x, y may be x */
    void (*softmax)(float *y, const float *x, size_t n);
    /* dx = y * (dy - the sum of dy y), y = softmax(x); dx may be dy */
    void (*softmax_back)(float *dx, const float *dy, const float *y, size_t n);
    /* y = 1 / (1 + e^-x), y may be x */
    void (*sigmoid)(float *y, const float *x, size_t n);
    /* y = x times the normal distribution's cumulative probability of x, by the error function of
     * Abramowitz and Stegun 7.1.26: absolute error below 3e-7 |x|; and dx = dy * its slope */
    void (*gelu)(float *y, const float *x, size_t n);
    void (*gelu_back)(float *dx, const float *dy, const float *x, size_t n);

    /* One step of an LSTM. gates [4 units] (input, forget, cell, output): in what reaches them, out
     * what they let through. h = o tanh(c), c = f before + i g. */
    void (*lstm)(float *gates, float *h, float *c, const float *before, size_t units);
    /* gates: in as lstm left them, out the gradients of what reached them. dc: in the gradient of c
     * from later steps, out that of before. */
    void (*lstm_back)(float *gates, float *dc, const float *dh, const float *c, const float *before,
                      size_t units);

    /* One step of a GRU. gates [3 units] (reset, update, new): in W x + b, out what they let
     * through; inner [3 units]: U h + b. h = (1 - z) n + z before, n = tanh(x_n + r inner_n). */
    void (*gru)(float *gates, float *h, const float *inner, const float *before, size_t units);
    /* gates: in as gru left them, out the gradients of W x + b; inner: in as gru read it, out the
     * gradients of U h + b. dh: in the gradient of h, out what goes to before past the gates. */
    void (*gru_back)(float *gates, float *inner, float *dh, const float *before, size_t units);
};

/* The best set this processor has. */
const struct elements *elements_best(void);

#define ELEMENTS_SETS_MAX 3

/* Gives every set this processor can run, the best first. */
uint32_t elements_all(const struct elements *out[ELEMENTS_SETS_MAX]);

#endif
