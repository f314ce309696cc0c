/* SPDX-License-Identifier: Apache-2.0 */
/* The Gaussian mechanism without sampling, exactly (Balle and Wang 2018), sensitivity 1.
 *
 * T steps with noise sigma are one with sigma / sqrt(T). Computed by Mills' ratio and in
 * logarithms, to 1e-11 relative, rounded against the promise. */
#ifndef CAIRN_PRIVACY_GAUSSIAN_H
#define CAIRN_PRIVACY_GAUSSIAN_H

#include "base/err.h"

#define GAUSSIAN_SIGMA_MIN 1e-4
#define GAUSSIAN_SIGMA_MAX 1e7

/* Gives ln delta at epsilon >= 0: Phi(1/2s - eps s) - e^eps Phi(-1/2s - eps s). CN_E_CONFIG. */
enum cn_err gaussian_log_delta(double *log_delta, double sigma, double epsilon);

/* Gives the smallest epsilon >= 0 at delta. CN_E_CONFIG unless 0 < delta < 1; it is then infinite.
 */
enum cn_err gaussian_epsilon(double *epsilon, double sigma, double delta);

/* Gives the smallest sigma for epsilon >= 0 and delta. CN_E_BUDGET if GAUSSIAN_SIGMA_MAX is too
 * small for it. */
enum cn_err gaussian_sigma(double *sigma, double epsilon, double delta);

#endif
