/* SPDX-License-Identifier: Apache-2.0 */
/* Renyi differential privacy of the Poisson-subsampled Gaussian mechanism, and its conversion.
 *
 * Neighbours differ by one record added or removed; sensitivity 1, noise sigma, sampling rate q.
 * Sources: Mironov, Talwar, Zhang, "Renyi Differential Privacy of the Sampled Gaussian Mechanism",
 * 2019, section 3.3; Canonne, Kamath, Steinke 2020, proposition 12. */
#ifndef CAIRN_PRIVACY_RDP_H
#define CAIRN_PRIVACY_RDP_H

#include <stddef.h>

#include "base/err.h"

#define RDP_ORDERS 156
#define RDP_ORDER_MAX 4096.0
#define RDP_SIGMA_MIN 1e-3
#define RDP_SIGMA_MAX 1e6

/* 1.1, 1.2 .. 10.9; 11, 12 .. 63; 128, 256, 512, 1024: the grid that published accountants share.
 */
extern const double rdp_orders[RDP_ORDERS];

/* Gives the RDP of one step at one order, to 1e-10 relative.
 *
 *   order  in (1, RDP_ORDER_MAX]: whole orders by the binomial sum; others by quadrature, and where
 *          that would take more than 2^16 points (sigma under 0.02 or so) by the chord, see below,
 *          which is never less than the truth
 *   q      in [0, 1]
 *   sigma  noise multiplier, RDP_SIGMA_MIN .. RDP_SIGMA_MAX
 *
 * CN_E_CONFIG out of these ranges, *rdp is then infinite. */
enum cn_err rdp_gaussian(double *rdp, double order, double q, double sigma);

/* The same for noise from the discrete Gaussian on integers and a query of whole numbers. At whole
 * orders it equals rdp_gaussian; between them the logarithm of the moment is bounded by the chord,
 * because it is convex in the order (docs/privacy.md proves both). */
enum cn_err rdp_discrete_gaussian(double *rdp, double order, double q, double sigma);

/* Gives the smallest epsilon at delta that any order proves: min over a of
 * rdp + ln(1 - 1/a) - ln(delta a) / (a - 1), at least 0.
 *
 *   orders, rdp [n]
 *   order       out, may be NULL: the order that proves it
 *
 * CN_E_CONFIG unless 0 < delta < 1; *epsilon is then infinite. */
enum cn_err rdp_epsilon(double *epsilon, double *order, const double *orders, const double *rdp,
                        size_t n, double delta);

/* Gives the smallest delta at epsilon that any order proves: min over a of
 * exp((a - 1)(rdp - epsilon)) / (a - 1) * (1 - 1/a)^a, at most 1. CN_E_CONFIG for epsilon < 0. */
enum cn_err rdp_delta(double *delta, double *order, const double *orders, const double *rdp,
                      size_t n, double epsilon);

#endif
