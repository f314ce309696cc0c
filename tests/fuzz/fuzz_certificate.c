/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates from anywhere: what decodes encodes to the same bytes, and checking it is safe. */
#include <stdint.h>
#include <string.h>

#include "crypto/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct certificate certificate;
    struct cn_reader reader;
    struct cn_buf buf;

    cn_reader_init(&reader, data, size);
    if (certificate_decode(&reader, &certificate) != CN_OK) {
        CN_ASSERT(cn_reader_finish(&reader) != CN_OK);
        return 0;
    }
    cn_buf_init(&buf, CERTIFICATE_BYTES_MAX);
    certificate_encode(&buf, &certificate);
    CN_ASSERT(cn_buf_finish(&buf) == CN_OK);
    CN_ASSERT(buf.len == size - cn_reader_left(&reader));
    CN_ASSERT(memcmp(buf.data, data, buf.len) == 0);
    cn_buf_clear(&buf);
    CN_IGNORE(certificate_check(&certificate, certificate.invitation.registrar));
    return 0;
}
