/* SPDX-License-Identifier: Apache-2.0 */
/* A device's certificate: registrar -> invitation -> device. The one-time key of an invitation
 * signs the device's own key and name; the registrar signed the invitation. Anyone who knows the
 * registrar's public key verifies the chain, without the aggregator.
 *
 * A certificate is public. It proves nothing about who shows it: every use goes with a fresh
 * signature by the device's key (login, one-time keys of a round).
 *
 * As bytes (at most CERTIFICATE_BYTES_MAX, integers big-endian): version 1 | invitation [141] |
 * device [32] | issued [8] | name length [1] | name | signature [64]. The signature is the one-time
 * key's, under the label "cairn-certificate", over everything before it. */
#ifndef CAIRN_CRYPTO_CERTIFICATE_H
#define CAIRN_CRYPTO_CERTIFICATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "crypto/invitation.h"
#include "crypto/sign.h"

#define DEVICE_ID_BYTES 16
#define CERTIFICATE_NAME_MAX 63 /* characters */
#define CERTIFICATE_BYTES_MAX (1 + INVITATION_BYTES + 32 + 8 + 1 + CERTIFICATE_NAME_MAX + 64)

struct certificate {
    struct invitation invitation;
    uint8_t device[SIGN_PUBLIC_BYTES];
    char name[CERTIFICATE_NAME_MAX + 1]; /* as cn_text_is_name; the rest is zeros */
    int64_t issued_s;                    /* the device's own word; >= 0, before the expiry */
    uint8_t signature[SIGN_BYTES];
};

/* Certifies device_key under name, now. CN_E_CONFIG for a name that cn_text_is_name refuses or a
 * time before 1970; CN_E_AUTH when one_time is not the invitation's key; CN_E_EXPIRED. On failure
 * *certificate is unchanged. */
enum cn_err certificate_make(struct certificate *certificate, const struct invitation *invitation,
                             const struct sign_key *one_time, const struct sign_key *device_key,
                             const char *name, int64_t now_s);

/* Verifies the whole chain up to this registrar, and that every field is in range. CN_E_AUTH.
 * Time, use and revocation are the caller's. About 80 us. */
enum cn_err certificate_check(const struct certificate *certificate,
                              const uint8_t registrar[SIGN_PUBLIC_BYTES]);

/* The same for a certificate of an invitation that invitation_check has accepted before: half the
 * cost. CN_E_AUTH also when it is of another one. */
enum cn_err certificate_check_under(const struct certificate *certificate,
                                    const struct invitation *verified);

/* Hashes the registrar and every field, the signatures too: what may be remembered as verified.
 * CN_E_AUTH for a certificate with a field out of range. */
enum cn_err certificate_digest(uint8_t digest[32], const struct certificate *certificate,
                               const uint8_t registrar[SIGN_PUBLIC_BYTES]);

/* Refuses a set of certificates, each verified before, in which one device stands twice
 * (CN_E_REPLAY) or one invitation more often than its uses allow (CN_E_USED). So the holder of one
 * invitation can not fill a cohort with devices that are all its own, even together with the
 * aggregator.
 *
 *   first   the first certificate; may be a member of a larger struct
 *   stride  bytes from one certificate to the next, e.g. sizeof(struct secagg_member)
 *
 * count^2 / 2 comparisons of 32 bytes: 10 ms for a thousand. */
enum cn_err certificate_roster_check(const struct certificate *first, size_t stride,
                                     uint32_t count);

/* The device's id: the first 16 bytes of the hash of its key under "cairn-device-id". The same for
 * every certificate of one key. */
void certificate_device_id(uint8_t id[DEVICE_ID_BYTES], const struct certificate *certificate);

/* Writes at most CERTIFICATE_BYTES_MAX; failures stick in buf. The name must be a valid one
 * (asserted): certificates come from certificate_make and certificate_decode only. */
void certificate_encode(struct cn_buf *buf, const struct certificate *certificate);

/* Reads one certificate and leaves what follows. Signatures are not verified here. CN_E_PARSE
 * (fields out of range, too), CN_E_VERSION; *certificate is then unchanged. */
enum cn_err certificate_decode(struct cn_reader *reader, struct certificate *certificate);

#endif
