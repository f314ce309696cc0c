/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudonyms: keyed hashes that turn a name into the same meaningless word everywhere one key is
 * used, and tell nothing about it to who lacks the key.
 *
 * BLAKE2b with the key as its key, over the domain (one length byte, its text) and the value. Not a
 * bare hash: names, insurance numbers and dates are so few that all of them can be tried; only the
 * key keeps them from being found. Who has it can find everyone again, so it belongs to the owner
 * alone and stays out of backups of the data. Source: RFC 7693; Art. 29 WP, opinion 05/2014, 4. */
#ifndef CAIRN_CRYPTO_PSEUDONYM_H
#define CAIRN_CRYPTO_PSEUDONYM_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"

#define PSEUDONYM_KEY_BYTES 32
#define PSEUDONYM_BYTES 16
#define PSEUDONYM_DOMAIN_MAX 255 /* bytes */

/* Lives in a sodium_malloc block. */
struct pseudonym_key {
    uint8_t bytes[PSEUDONYM_KEY_BYTES];
};

/* Draws a key into a new file of mode 0600: "cairn-pseudonym-key 1", a line of 64 hexadecimal
 * digits. A file that exists is never overwritten: CN_E_EXISTS. CN_E_RANDOM, CN_E_NOMEM,
 * CN_E_NOSPACE, CN_E_IO. */
enum cn_err pseudonym_key_make(const char *path, struct cn_diag *diag);

/* Reads a key; the caller owns it, to pseudonym_key_free. CN_E_CONFIG when others than the owner
 * may read or write the file; CN_E_DATA when it is no such key; CN_E_NOT_FOUND, CN_E_IO,
 * CN_E_NOMEM, CN_E_RANDOM. */
enum cn_err pseudonym_key_load(struct pseudonym_key **key, const char *path, struct cn_diag *diag);

void pseudonym_key_free(struct pseudonym_key *key);

/* The pseudonym of value in a domain (a column's name), which keeps two columns' pseudonyms apart:
 * at most PSEUDONYM_DOMAIN_MAX bytes (asserted). */
void pseudonym_of(uint8_t out[PSEUDONYM_BYTES], const struct pseudonym_key *key, const char *domain,
                  const void *value, size_t len);

#endif
