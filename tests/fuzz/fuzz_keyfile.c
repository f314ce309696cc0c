/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that claim to be a key file without a passphrase. A key that is accepted is the one whose
 * public half the file names; whatever is refused is refused with a reason. */
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "crypto/keyfile.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const digits = "0123456789abcdef";
    struct memory_file file;
    struct cn_diag diag = {0};
    struct sign_key *key = NULL;
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    char hex[2 * SIGN_PUBLIC_BYTES + 1];
    bool locked = false;

    memory_file_open(&file, data, size);
    CN_ASSERT(fchmod(file.fd, 0600) == 0);
    enum cn_err known = keyfile_is_locked(file.path, &locked);
    enum cn_err err = keyfile_load(&key, file.path, NULL, &diag);
    CN_ASSERT((err == CN_OK) == (key != NULL));
    CN_ASSERT(err == CN_OK || diag.text[0] != '\0');
    CN_ASSERT(err != CN_OK || (known == CN_OK && !locked));
    if (key) {
        sign_key_public(key, public_key);
        for (size_t i = 0; i < sizeof public_key; i++) {
            hex[2 * i] = digits[public_key[i] >> 4];
            hex[2 * i + 1] = digits[public_key[i] & 15];
        }
        CN_ASSERT(memmem(data, size, hex, sizeof hex - 1) != NULL);
    }
    sign_key_free(key);
    memory_file_close(&file);
    return 0;
}
