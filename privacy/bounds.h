/* SPDX-License-Identifier: Apache-2.0 */
/* Closed-form costs of further mechanisms: what one step of each is charged.
 *
 * Laplace (Mironov 2017), Skellam (Agarwal, Kairouz, Liu 2021), the distributed discrete Gaussian
 * (Kairouz, Liu, Steinke 2021), the discrete Gaussian in one dimension, and zCDP's conversion
 * (Canonne, Kamath, Steinke 2020). Orders are above 1; everything is rounded up. */
#ifndef CAIRN_PRIVACY_BOUNDS_H
#define CAIRN_PRIVACY_BOUNDS_H

#include <stdint.h>

#include "base/err.h"

/* The RDP at order of the Laplace mechanism; scale is scale / sensitivity. CN_E_CONFIG. */
enum cn_err bounds_laplace_rdp(double *rdp, double order, double scale);

/* Epsilon at 0 <= delta < 1 of one Laplace mechanism, exactly. */
enum cn_err bounds_laplace_epsilon(double *epsilon, double scale, double delta);

struct bounds_skellam {
    double l2, l1;   /* sensitivities in whole units */
    double variance; /* of the sum's noise, over all devices that count */
};

enum cn_err bounds_skellam_rdp(double *rdp, double order, const struct bounds_skellam *skellam);

/* A sum over devices, each of which clips, scales, rotates, rounds and adds discrete Gaussian
 * noise. devices is the smallest number of honest survivors: the noise of others is not counted. */
struct bounds_distributed {
    uint32_t devices;
    uint32_t dim; /* after padding */
    double clip;  /* L2 norm */
    double scale; /* whole units per unit of the weights */
    double beta;  /* conditional rounding is tried until its norm is one that it exceeds with
                     probability beta; 0: no condition */
    double sigma; /* each device's noise in whole units, 1/2 or more */
};

struct bounds_sensitivity {
    double l2, l1; /* in whole units, after rounding */
    double tau;    /* how far the sum's noise is from a discrete Gaussian */
};

enum cn_err bounds_distributed_sensitivity(struct bounds_sensitivity *out,
                                           const struct bounds_distributed *mechanism);
enum cn_err bounds_distributed_rdp(double *rdp, double order,
                                   const struct bounds_distributed *mechanism);
/* rho such that the RDP at every order a is at most rho a. */
enum cn_err bounds_distributed_zcdp(double *rho, const struct bounds_distributed *mechanism);

/* Epsilon of rho-zCDP at delta: the best over all real orders. */
enum cn_err bounds_zcdp_epsilon(double *epsilon, double rho, double delta);

/* Epsilon of steps of a mechanism with RDP at most rdp(ctx, order), over all real orders. */
typedef enum cn_err (*bounds_rdp)(double *rdp, double order, const void *ctx);
enum cn_err bounds_rdp_epsilon(double *epsilon, double *order, bounds_rdp rdp, const void *ctx,
                               double steps, double delta);
/* Delta at epsilon >= 0 in the same way. */
enum cn_err bounds_rdp_delta(double *delta, double *order, bounds_rdp rdp, const void *ctx,
                             double steps, double epsilon);

/* Delta at epsilon of the discrete Gaussian on whole numbers, moved by sensitivity; and the
 * variance that it really has. sigma2 is in (0, 2^24]. */
enum cn_err bounds_discrete_delta(double *delta, double sigma2, uint32_t sensitivity,
                                  double epsilon);
enum cn_err bounds_discrete_variance(double *variance, double sigma2);

#endif
