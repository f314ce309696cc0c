/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing under a 32-byte key that two parties share: XChaCha20-Poly1305 with a random nonce.
 *
 *   sealed   nonce [24] | ciphertext [len] | tag [16]
 *
 * The sealed bytes are bound to a label (the purpose) and to data that both sides know (who seals
 * for whom, in which session): the associated data are the hash under the label of that data. They
 * open only under the same key, label and data. How the key is agreed on is crypto/agree's; keys
 * must come from it, or from random bytes, never from a passphrase (crypto/keyfile).
 * Source: RFC 8439; draft-irtf-cfrg-xchacha-03. */
#ifndef CAIRN_CRYPTO_SEAL_H
#define CAIRN_CRYPTO_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/random.h"

#define SEAL_KEY_BYTES 32
#define SEAL_NONCE_BYTES 24
#define SEAL_OVERHEAD 40 /* bytes that sealing adds */

struct seal_binding {
    const char *label; /* as for hash_init */
    const void *data;  /* may be NULL when len is 0 */
    size_t len;
};

/* Seals msg; can not fail.
 *
 *   out  [len + SEAL_OVERHEAD], not overlapping msg
 *
 * Random nonces of 24 bytes never meet, whatever the number of messages under one key. */
void seal_make(uint8_t *out, const void *msg, size_t len, const struct seal_binding *binding,
               const uint8_t key[SEAL_KEY_BYTES], const struct cn_random *random);

/* Opens what seal_make gave.
 *
 *   out  [sealed_len - SEAL_OVERHEAD], not overlapping sealed; zeros on failure
 *
 * CN_E_AUTH, without a reason: too short, another key, label or data, or a changed bit. */
enum cn_err seal_open(void *out, const uint8_t *sealed, size_t sealed_len,
                      const struct seal_binding *binding, const uint8_t key[SEAL_KEY_BYTES]);

#endif
