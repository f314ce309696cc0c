/* SPDX-License-Identifier: Apache-2.0 */
/* One mechanism's dominating pair as something that can be walked through in order of the loss.
 * Internal to pld. */
#ifndef CAIRN_PRIVACY_PLD_PAIR_H
#define CAIRN_PRIVACY_PLD_PAIR_H

#include <stdint.h>

#include "privacy/pld.h"

enum pld_direction { PLD_REMOVE, PLD_ADD };

enum pld_shape {
    PLD_SHAPE_REMOVE,
    PLD_SHAPE_ADD,
    PLD_SHAPE_REPLACE,
    PLD_SHAPE_LAPLACE,
    PLD_SHAPE_DISCRETE
};

struct pld_pair {
    enum pld_shape shape;
    double q; /* sampling rate */
    double
        shift; /* m: distance of the means in standard deviations, or of the Laplaces in scales */
    double steps;
    double low, high;    /* the range of outcomes t that is walked through; high carries */
    double cut;          /* so much of P's mass is beyond: counted as an infinite loss */
    double piece;        /* quadrature's widest piece */
    double sigma;        /* discrete only: of the outcomes */
    int64_t sensitivity; /* discrete only */
    enum pld_shape of;   /* discrete only: as which of the first three it is sampled */
    double log_normal;   /* discrete only: ln of the sum of exp(-x^2 / (2 sigma^2)) */
};

/* Where masses go: mass p > 0 of P at a loss. */
typedef void (*pld_visit)(void *ctx, double p, double loss);

/* Makes the pair of one valid event and direction; tail bounds the mass of P that is cut off. */
void pld_pair_make(struct pld_pair *pair, const struct pld_event *event,
                   enum pld_adjacency adjacency, enum pld_direction direction, double tail);

/* Whether the two directions have the same losses. */
int pld_pair_symmetric(const struct pld_pair *pair);

/* The smallest and largest loss of what is walked through. */
double pld_pair_low(const struct pld_pair *pair);
double pld_pair_high(const struct pld_pair *pair);

/* Visits the pair's masses in pieces, each within one cell [i h, (i + 1) h) of losses (h 0: cells
 * do not matter). What lies below pair->low is left out: its mass is 1 less everything else. */
void pld_pair_walk(const struct pld_pair *pair, double h, pld_visit visit, void *ctx);

#endif
