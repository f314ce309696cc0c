/* SPDX-License-Identifier: Apache-2.0 */
/* What keyfile.c shares with its tests: the price of a passphrase, which tests keep low. */
#ifndef CAIRN_CRYPTO_KEYFILE_INTERNAL_H
#define CAIRN_CRYPTO_KEYFILE_INTERNAL_H

#include <stdint.h>

#include "crypto/keyfile.h"

#define KEYFILE_PASSES_MAX 16
#define KEYFILE_MEMORY_MIN 8192
#define KEYFILE_MEMORY_MAX (UINT64_C(1) << 30)

struct keyfile_cost {
    uint64_t passes;       /* over the memory, 1 .. KEYFILE_PASSES_MAX */
    uint64_t memory_bytes; /* KEYFILE_MEMORY_MIN .. KEYFILE_MEMORY_MAX */
};

/* As keyfile_save; cost is for a passphrase only. */
enum cn_err keyfile_save_at(const char *path, const struct sign_key *key, const char *passphrase,
                            const struct keyfile_cost *cost, struct cn_diag *diag);

#endif
