/* SPDX-License-Identifier: Apache-2.0 */
/* XChaCha20-Poly1305 with the nonce in front. */
#include "crypto/seal.h"

#include <sodium.h>
#include <string.h>

#include "crypto/hash.h"

#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");
_Static_assert(SEAL_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(SEAL_OVERHEAD == SEAL_NONCE_BYTES + TAG_BYTES, "overhead");

void seal_make(uint8_t *out, const void *msg, size_t len, const struct seal_binding *binding,
               const uint8_t key[SEAL_KEY_BYTES], const struct cn_random *random)
{
    uint8_t bound[HASH_BYTES];

    hash_of(bound, binding->label, binding->data, binding->len);
    cn_random_fill(random, out, SEAL_NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + SEAL_NONCE_BYTES, NULL, msg, len, bound,
                                               sizeof bound, NULL, out, key);
}

enum cn_err seal_open(void *out, const uint8_t *sealed, size_t sealed_len,
                      const struct seal_binding *binding, const uint8_t key[SEAL_KEY_BYTES])
{
    uint8_t bound[HASH_BYTES];
    int status;

    if (sealed_len < SEAL_OVERHEAD)
        return CN_E_AUTH;
    hash_of(bound, binding->label, binding->data, binding->len);
    status = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed + SEAL_NONCE_BYTES,
                                                        sealed_len - SEAL_NONCE_BYTES, bound,
                                                        sizeof bound, sealed, key);
    if (status == 0)
        return CN_OK;
    if (sealed_len > SEAL_OVERHEAD)
        memset(out, 0, sealed_len - SEAL_OVERHEAD);
    return CN_E_AUTH;
}
