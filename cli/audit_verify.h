/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `cairn audit` that have files of their own; their table is in audit.c. */
#ifndef CAIRN_CLI_AUDIT_VERIFY_H
#define CAIRN_CLI_AUDIT_VERIFY_H

#include "base/options.h"

int audit_verify(const struct cn_args *args);
int audit_diff(const struct cn_args *args);
int audit_empirical(const struct cn_args *args);
#define AUDIT_EMPIRICAL_OPTIONS 8
extern const struct cn_option audit_empirical_options[AUDIT_EMPIRICAL_OPTIONS];

/* Where two files begin to differ. */
struct audit_copy {
    uint64_t lines;  /* that are the same in both, from the first on */
    uint64_t more_a; /* whole lines behind those in a ... */
    uint64_t more_b; /* ... and in b */
};

/* Compares two ledgers line by line in 128 KiB of memory. As a line has one spelling, ledgers that
 * agree agree byte by byte. CN_E_NOT_FOUND, CN_E_IO. */
enum cn_err audit_copy_compare(struct audit_copy *copy, const char *a, const char *b);

#endif
