/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations: made by the registrar, verified by everybody. */
#include "crypto/invitation.h"

#include <sodium.h>
#include <string.h>

#include "crypto/bytes.h"
#include "crypto/hash.h"

#define VERSION 1
#define LABEL "cairn-invitation"
#define BODY_BYTES (1 + SIGN_PUBLIC_BYTES + SIGN_PUBLIC_BYTES + 8 + 4)

_Static_assert(INVITATION_BYTES == BODY_BYTES + SIGN_BYTES, "the header says the layout");

static void body_of(uint8_t out[BODY_BYTES], const struct invitation *invitation)
{
    uint8_t *at = bytes_put_uint(out, VERSION, 1);

    at = bytes_put(at, invitation->public_key, SIGN_PUBLIC_BYTES);
    at = bytes_put(at, invitation->registrar, SIGN_PUBLIC_BYTES);
    at = bytes_put_uint(at, (uint64_t)invitation->expires_s, 8);
    bytes_put_uint(at, invitation->uses, 4);
}

static bool in_range(uint32_t uses, int64_t expires_s)
{
    return uses >= 1 && uses <= INVITATION_USES_MAX && expires_s > 0;
}

void invitation_id(uint8_t id[INVITATION_ID_BYTES], const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    uint8_t digest[HASH_BYTES];

    hash_of(digest, "cairn-invitation-id", public_key, SIGN_PUBLIC_BYTES);
    memcpy(id, digest, INVITATION_ID_BYTES);
}

enum cn_err invitation_make(struct invitation *invitation, struct sign_key **one_time,
                            const struct sign_key *registrar, uint32_t uses, int64_t expires_s,
                            const struct cn_random *random)
{
    struct invitation made = {.expires_s = expires_s, .uses = uses};
    uint8_t body[BODY_BYTES];

    *one_time = NULL;
    if (!in_range(uses, expires_s))
        return CN_E_CONFIG;
    CN_TRY(sign_key_new(one_time, random));
    sign_key_public(*one_time, made.public_key);
    sign_key_public(registrar, made.registrar);
    invitation_id(made.id, made.public_key);
    body_of(body, &made);
    sign_make(made.signature, registrar, LABEL, body, sizeof body);
    *invitation = made;
    return CN_OK;
}

enum cn_err invitation_check(const struct invitation *invitation,
                             const uint8_t registrar[SIGN_PUBLIC_BYTES])
{
    uint8_t id[INVITATION_ID_BYTES], body[BODY_BYTES];

    if (!in_range(invitation->uses, invitation->expires_s))
        return CN_E_AUTH;
    if (sodium_memcmp(invitation->registrar, registrar, SIGN_PUBLIC_BYTES) != 0)
        return CN_E_AUTH;
    invitation_id(id, invitation->public_key);
    if (sodium_memcmp(invitation->id, id, sizeof id) != 0)
        return CN_E_AUTH;
    body_of(body, invitation);
    return sign_check(invitation->signature, registrar, LABEL, body, sizeof body);
}

bool invitation_expired(const struct invitation *invitation, int64_t now_s)
{
    return now_s >= invitation->expires_s;
}

void invitation_bytes(uint8_t out[INVITATION_BYTES], const struct invitation *invitation)
{
    body_of(out, invitation);
    bytes_put(out + BODY_BYTES, invitation->signature, SIGN_BYTES);
}

void invitation_encode(struct cn_buf *buf, const struct invitation *invitation)
{
    uint8_t bytes[INVITATION_BYTES];

    invitation_bytes(bytes, invitation);
    cn_put_bytes(buf, bytes, sizeof bytes);
}

enum cn_err invitation_decode(struct cn_reader *reader, struct invitation *invitation)
{
    struct invitation read = {0};
    uint8_t version = cn_read_u8(reader);
    uint64_t expires_s;

    if (!reader->failed && version != VERSION) {
        reader->failed = true;
        return CN_E_VERSION;
    }
    cn_read_bytes(reader, read.public_key, SIGN_PUBLIC_BYTES);
    cn_read_bytes(reader, read.registrar, SIGN_PUBLIC_BYTES);
    expires_s = cn_read_u64(reader);
    read.uses = cn_read_u32(reader);
    cn_read_bytes(reader, read.signature, SIGN_BYTES);
    read.expires_s = expires_s <= INT64_MAX ? (int64_t)expires_s : -1;
    if (reader->failed || !in_range(read.uses, read.expires_s)) {
        reader->failed = true;
        return CN_E_PARSE;
    }
    invitation_id(read.id, read.public_key);
    *invitation = read;
    return CN_OK;
}
