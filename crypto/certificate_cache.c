/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of verified certificates; see certificate_cache.h. */
#include "crypto/certificate_cache.h"

#include <stdlib.h>

#include <sodium.h>

#include "crypto/hash.h"
#include "crypto/seen.h"

enum { SEEN_CERTIFICATE = 1 };

_Static_assert(SEEN_BYTES == HASH_BYTES, "digests are what is seen");

struct certificate_cache {
    struct seen seen;
};

enum cn_err certificate_cache_new(struct certificate_cache **out)
{
    *out = NULL;
    if (sodium_init() < 0)
        return CN_E_RANDOM;
    *out = calloc(1, sizeof **out);
    return *out ? CN_OK : CN_E_NOMEM;
}

void certificate_cache_free(struct certificate_cache *cache)
{
    if (cache)
        seen_clear(&cache->seen);
    free(cache);
}

enum cn_err certificate_cache_check(struct certificate_cache *cache,
                                    const struct certificate *certificate,
                                    const uint8_t registrar[SIGN_PUBLIC_BYTES])
{
    uint8_t digest[HASH_BYTES];

    if (!cache)
        return certificate_check(certificate, registrar);
    CN_TRY(certificate_digest(digest, certificate, registrar));
    if (seen_get(&cache->seen, SEEN_CERTIFICATE, digest))
        return CN_OK;
    CN_TRY(certificate_check(certificate, registrar));
    if (cache->seen.count >= CERTIFICATE_CACHE_MAX)
        seen_clear(&cache->seen);
    if (seen_reserve(&cache->seen, 1) == CN_OK) /* else it is verified again next time */
        seen_put(&cache->seen, SEEN_CERTIFICATE, digest);
    return CN_OK;
}
