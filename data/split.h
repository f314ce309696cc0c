/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded splits of one data set into parts of exactly equal size, for demos and simulations.
 *
 * n / parts examples each; the n % parts that are left belong to nobody. All choices are made in
 * integers: the only floats are Dirichlet weights, rounded to 32 bits before use, so the last bit
 * of another machine's log() changes nothing. */
#ifndef CAIRN_DATA_SPLIT_H
#define CAIRN_DATA_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"

#define SPLIT_PARTS_MAX 65536u
#define SPLIT_NOBODY UINT32_MAX
#define SPLIT_ALPHA_MIN 1e-3 /* below it most weights round to zero */
#define SPLIT_ALPHA_MAX 1e6  /* above it the split is the even one */

/* Gives every example to a part, uniformly at random. owner [n], out: a part or SPLIT_NOBODY.
 * CN_E_CONFIG when parts is 0, above SPLIT_PARTS_MAX or above n; CN_E_NOMEM. */
enum cn_err split_iid(uint32_t *owner, size_t n, uint32_t parts, const struct cn_random *random);

struct split_dirichlet {
    uint32_t parts;
    uint32_t classes; /* labels are below it */
    double alpha;     /* SPLIT_ALPHA_MIN .. SPLIT_ALPHA_MAX: small is uneven, large is even */
};

/* Gives each part its own proportions of labels, drawn from Dirichlet(alpha, ..., alpha), and takes
 * its examples without replacement; of a label that has run out no more is taken and the remaining
 * proportions hold. owner [n], out; y [n], labels. Errors as of split_iid, also CN_E_CONFIG for an
 * alpha outside its range and CN_E_DATA for a label that is not below classes.
 * Source: Hsu, Qi, Brown 2019 (arXiv 1909.06335); gamma variates: Marsaglia, Tsang 2000. */
enum cn_err split_dirichlet(uint32_t *owner, const uint32_t *y, size_t n,
                            const struct split_dirichlet *how, const struct cn_random *random);

#endif
