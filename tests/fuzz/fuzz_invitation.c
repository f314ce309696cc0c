/* SPDX-License-Identifier: Apache-2.0 */
/* Invitations from anywhere: what decodes encodes to the same bytes, and checking it is safe. */
#include <stdint.h>
#include <string.h>

#include "crypto/invitation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct invitation invitation;
    struct cn_reader reader;
    uint8_t bytes[INVITATION_BYTES];

    cn_reader_init(&reader, data, size);
    if (invitation_decode(&reader, &invitation) != CN_OK) {
        CN_ASSERT(cn_reader_finish(&reader) != CN_OK);
        return 0;
    }
    CN_ASSERT(cn_reader_left(&reader) == size - INVITATION_BYTES);
    invitation_bytes(bytes, &invitation);
    CN_ASSERT(memcmp(bytes, data, sizeof bytes) == 0);
    CN_IGNORE(invitation_check(&invitation, invitation.registrar));
    return 0;
}
