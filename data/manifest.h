/* SPDX-License-Identifier: Apache-2.0 */
/* The note beside a de-identified table that says which policy made it, and its check.
 *
 *   cairn-deidentified 1
 *   policy <64 hex digits>     hash_blob of the policy's file
 *   output <64 hex digits>     manifest_hash_file of the table
 *   rows <read> <written>
 *   check <16 hex digits>      of the lines before, under "cairn-deidentified-check"
 *
 * It guards against mistakes: the wrong file, a file that was changed or exported anew, an older
 * policy. It is no signature: who can write the table can write its note. */
#ifndef CAIRN_DATA_MANIFEST_H
#define CAIRN_DATA_MANIFEST_H

#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "crypto/hash.h"

#define MANIFEST_SUFFIX ".manifest"

struct manifest {
    uint8_t policy[HASH_BYTES];
    uint8_t output[HASH_BYTES];
    uint64_t rows_in;
    uint64_t rows_out;
};

/* Hashes a file in pieces of 64 KiB, each a part, under "cairn-deidentified-file". CN_E_NOT_FOUND,
 * CN_E_DATA (no regular file), CN_E_IO, CN_E_NOMEM. */
enum cn_err manifest_hash_file(uint8_t out[HASH_BYTES], const char *path, struct cn_diag *diag);

/* Writes the note of the table at path, path with MANIFEST_SUFFIX. Errors as of cn_file_write. */
enum cn_err manifest_save(const struct manifest *manifest, const char *path, struct cn_diag *diag);

/* Reads the note of the table at path. CN_E_NOT_FOUND, CN_E_DATA when it is none or damaged. */
enum cn_err manifest_load(struct manifest *manifest, const char *path, struct cn_diag *diag);

/* Checks that the table at path is what the policy in the file made: CN_OK, or CN_E_DENIED with the
 * reason and the command that makes it so. Anything that can not be checked is denied, too. */
enum cn_err manifest_check(const char *path, const char *policy, struct cn_diag *diag);

#endif
