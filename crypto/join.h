/* SPDX-License-Identifier: Apache-2.0 */
/* Join links: one line to paste, with all that a device needs to join a federation.
 *
 *   cairn://HOST:PORT/BASE64URL      HOST a name, an IPv4 address or an IPv6 address in brackets
 *
 * The last part is 180 bytes (integers big-endian): version 1 | TLS pin [32] | registrar [32] |
 * expires [8] | uses [4] | the registrar's signature [64] | secret [32] | checksum [7]. The secret
 * is the seed of the invitation's one-time key; public key and id follow from it. The checksum are
 * the first bytes of the hash, under "cairn-join-link", of three parts: host, port in two bytes,
 * all bytes before the checksum. It has no key: it finds slips of the hand, the signature finds
 * forgeries. Whoever has the link can join with it: it is a secret until it is used up. */
#ifndef CAIRN_CRYPTO_JOIN_H
#define CAIRN_CRYPTO_JOIN_H

#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "crypto/invitation.h"
#include "crypto/sign.h"

#define JOIN_HOST_MAX 255 /* characters */
#define JOIN_PIN_BYTES 32
#define JOIN_LINK_MAX 520 /* bytes of a link as text, with its final zero */

struct join_link {
    char host[JOIN_HOST_MAX + 1]; /* an IPv6 address stands without brackets */
    uint16_t port;                /* 1 .. 65535 */
    uint8_t tls_pin[JOIN_PIN_BYTES];
    struct invitation invitation;
    uint8_t secret[SIGN_SEED_BYTES]; /* sign_key_from_seed gives the one-time key */
};

/* Writes the link as text. CN_E_CONFIG for a host or port that no link can hold; CN_E_AUTH when the
 * secret is not that of the invitation; CN_E_RANDOM, CN_E_NOMEM. out is then "". The caller wipes
 * out when it is done with it (sodium_memzero). */
enum cn_err join_link_format(char out[JOIN_LINK_MAX], const struct join_link *link);

/* Reads a link; blanks around it are skipped. What comes out is verified: the invitation is signed
 * by the registrar that the link names, and the secret fits it. Its expiry is the caller's to look
 * at (invitation_expired).
 *
 * CN_E_PARSE for text that is no link, or one that is incomplete or mistyped; CN_E_VERSION for one
 * from a newer Cairn; CN_E_AUTH for one that is whole but forged; CN_E_RANDOM, CN_E_NOMEM. diag
 * (may be NULL) tells which and what to do; it never quotes the link. *link is then all zeros. */
enum cn_err join_link_parse(struct join_link *link, const char *text, struct cn_diag *diag);

/* Wipes everything. */
void join_link_wipe(struct join_link *link);

#endif
