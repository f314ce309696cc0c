/* SPDX-License-Identifier: Apache-2.0 */
/* Noise that one place adds to sums round after round, correlated so that less of it piles up in
 * the model: a tree with restarts, or a banded factor (factorise.h). Integers only.
 *
 * Banded: with c in units of 2^-F, z a discrete Gaussian vector on the integers and g_t the round's
 * integers, the mechanism is y_t = sum_j c_j g_(t-j) + z_t, all integers. What is given out is
 *   o_t = round((y_t - sum_(j>0) c_j o_(t-j)) / 2^F) = g_t + n_t,
 *   n_t = round((z_t - sum_(j>0) c_j n_(t-j)) / 2^F):
 * a function of y alone, since rounding commutes with the integer g_t. So the proof for discrete
 * noise on integers holds, and no number is ever real.
 * Tree: node noises are integers; n_t is the difference of the prefixes' noises.
 *
 * Noise is drawn so that one participation of a device costs what a Gaussian of the noise
 * multiplier costs. Participations add up like Gaussians as long as their columns do not overlap:
 * a band of rounds or more from one to the next, or one in a tree. Whoever takes part has to see to
 * that (correlated_next).
 *
 * The state holds the noise that later rounds need again; it is as secret as the sums. Written
 * before a round is given out, read after a restart; one of another task, round or length is
 * refused, and without it no round goes on: noise is neither reused nor lost. */
#ifndef CAIRN_PRIVACY_CORRELATED_H
#define CAIRN_PRIVACY_CORRELATED_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/random.h"
#include "privacy/factorise.h"

#define CORRELATED_ID_BYTES 32
#define CORRELATED_TREE_LEVELS_MAX 20

#define CORRELATED_SIGMA_MAX 0x1p48 /* of one draw */

enum correlated_kind { CORRELATED_NONE, CORRELATED_TREE, CORRELATED_BANDED };

struct correlated_plan {
    enum correlated_kind kind;
    uint32_t rounds;         /* TREE: of one tree, then it restarts */
    struct factorise factor; /* BANDED: its first band coefficients and square */
};

/* The squared norm of what one participation moves, in sensitivities of one round; the noise is
 * made larger by its root, so that noise_multiplier is what one participation costs. */
double correlated_square(const struct correlated_plan *plan);

/* The first round in which a device may take part again that took part in round `last`. */
uint32_t correlated_next(const struct correlated_plan *plan, uint32_t last);

struct correlated; /* the state */

/* Nothing drawn yet: the first round is 1. CN_E_CONFIG, CN_E_NOMEM. Returns ownership. */
enum cn_err correlated_new(struct correlated **state, const struct correlated_plan *plan, size_t n,
                           const uint8_t id[CORRELATED_ID_BYTES]);
void correlated_free(struct correlated *state); /* wipes it */

/* The round whose noise comes next, from 1. */
uint32_t correlated_round(const struct correlated *state);

/* Adds the next round's noise to values [n] and goes on to the round after.
 *
 *   noise_multiplier  of one participation
 *   sensitivity       L2, in whole units, of one round; both must be the same in every round
 *
 * On failure (CN_E_CONFIG, CN_E_NOMEM) nothing was added and the state is to be freed. */
enum cn_err correlated_add(struct correlated *state, int64_t *values, double noise_multiplier,
                           double sensitivity, const struct cn_random *random);

/* Writes the state, flushed, readable by the owner only; with a checksum. */
enum cn_err correlated_save(const struct correlated *state, const char *path, struct cn_diag *diag);

/* Reads the state that is to make `round`'s noise; a banded factor is the file's. CN_E_NOT_FOUND,
 * CN_E_IO, CN_E_NOMEM; CN_E_TAMPERED when the file is damaged, another task's, another plan's or
 * another round's: with words in diag. */
enum cn_err correlated_load(struct correlated **state, const struct correlated_plan *plan, size_t n,
                            const uint8_t id[CORRELATED_ID_BYTES], uint32_t round, const char *path,
                            struct cn_diag *diag);

#endif
