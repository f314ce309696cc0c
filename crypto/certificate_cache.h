/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that have been verified: a device meets the same members round after round, and a
 * certificate that was right stays right (time, use and revocation are the caller's as ever). Holds
 * digests only. Not thread-safe. */
#ifndef CAIRN_CRYPTO_CERTIFICATE_CACHE_H
#define CAIRN_CRYPTO_CERTIFICATE_CACHE_H

#include "crypto/certificate.h"

#define CERTIFICATE_CACHE_MAX 32768u /* certificates; a full cache begins anew */

struct certificate_cache;

/* Makes an empty cache. CN_E_NOMEM, CN_E_RANDOM. Returns ownership. */
enum cn_err certificate_cache_new(struct certificate_cache **out);

/* certificate_check, or at once CN_OK for one that passed it before under the same registrar.
 *
 *   cache  may be NULL: then nothing is remembered
 *
 * A failure is never remembered. About 1 us for one that is known. */
enum cn_err certificate_cache_check(struct certificate_cache *cache,
                                    const struct certificate *certificate,
                                    const uint8_t registrar[SIGN_PUBLIC_BYTES]);

/* Frees; NULL is allowed. */
void certificate_cache_free(struct certificate_cache *cache);

#endif
