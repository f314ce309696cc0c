/* SPDX-License-Identifier: Apache-2.0 */
/* Key files: one signing key in a text file that says what it is.
 *
 *   cairn-key 1 plain                 cairn-key 1 argon2id
 *   public <64 hex digits>            public <64 hex digits>
 *   seed <64 hex digits>              cost <passes> <bytes of memory>
 *   check <16 hex digits>             salt <32 hex digits>
 *                                     box <144 hex digits>
 *                                     check <16 hex digits>
 *
 * Every line ends with a newline and nothing follows. check are the first 8 bytes of the hash,
 * under "cairn-key-file", of the lines before it: it tells a damaged file from a wrong passphrase.
 * box is the seed, sealed (crypto/seal, label "cairn-key-box", bound to the lines before box) under
 * Argon2id of the passphrase.
 *
 * A key with a passphrase costs 3 passes over 256 MiB (libsodium's MODERATE), about a second: it is
 * typed by a person, a registrar mostly, once per start. Devices that start unattended have plain
 * files and need no memory for it. Source: RFC 9106. */
#ifndef CAIRN_CRYPTO_KEYFILE_H
#define CAIRN_CRYPTO_KEYFILE_H

#include <stdbool.h>

#include "base/diag.h"
#include "base/err.h"
#include "crypto/sign.h"

#define KEYFILE_PASSPHRASE_MAX 1024 /* bytes */

/* Writes key to a new file of mode 0600, plain when passphrase is NULL. A file that exists is never
 * overwritten: CN_E_EXISTS. CN_E_CONFIG for an empty or an endless passphrase; CN_E_NOMEM,
 * CN_E_NOSPACE, CN_E_IO, CN_E_RANDOM. */
enum cn_err keyfile_save(const char *path, const struct sign_key *key, const char *passphrase,
                         struct cn_diag *diag);

/* Reads a key; the caller owns it. passphrase may be NULL, and is not looked at for a plain file.
 * CN_E_NOT_FOUND; CN_E_CONFIG when others than the owner may read or write the file, or when a
 * passphrase is needed; CN_E_AUTH when it is wrong; CN_E_DATA when the file is no key file,
 * incomplete, damaged, of a newer version or asks for more than 1 GiB or 16 passes; CN_E_IO,
 * CN_E_NOMEM, CN_E_RANDOM. diag tells which. */
enum cn_err keyfile_load(struct sign_key **key, const char *path, const char *passphrase,
                         struct cn_diag *diag);

/* Tells whether the file needs a passphrase, from its first line; verifies nothing else.
 * CN_E_NOT_FOUND, CN_E_DATA, CN_E_IO. */
enum cn_err keyfile_is_locked(const char *path, bool *locked);

#endif
