/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pseudonym.h"

#include <sodium.h>
#include <sys/stat.h>

#include "../data/scratch.h"

TestSuite(pseudonym, .init = scratch_make, .fini = scratch_remove);

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static enum cn_err load(struct pseudonym_key **key, const char *text, mode_t mode,
                        struct cn_diag *diag)
{
    const char *path = scratch_text("key", text);

    memset(diag, 0, sizeof *diag);
    cr_assert_eq(chmod(path, mode), 0);
    return pseudonym_key_load(key, path, diag);
}

/* Python: hashlib.blake2b(b"\x04name" + b"Ada", key=bytes(range(32)), digest_size=16).hexdigest()
 */
Test(pseudonym, is_keyed_blake2b_over_domain_and_value)
{
    struct pseudonym_key *key;
    struct cn_diag diag;
    uint8_t out[PSEUDONYM_BYTES], other[PSEUDONYM_BYTES];
    char hex[2 * PSEUDONYM_BYTES + 1];

    cr_assert_eq(load(&key, "cairn-pseudonym-key 1\n" KEY "\n", 0600, &diag), CN_OK);
    pseudonym_of(out, key, "name", "Ada", 3);
    sodium_bin2hex(hex, sizeof hex, out, sizeof out);
    cr_assert_str_eq(hex, "337a571399d85bc46cdd7ec706c43ba7");
    pseudonym_of(other, key, "nameA", "da", 2);
    cr_assert(memcmp(out, other, sizeof out) != 0);
    key->bytes[31] ^= 1;
    pseudonym_of(other, key, "name", "Ada", 3);
    cr_assert(memcmp(out, other, sizeof out) != 0);
    pseudonym_key_free(key);
}

Test(pseudonym, makes_a_private_key_once)
{
    const char *path = scratch_path("new");
    struct pseudonym_key *one, *two;
    struct stat info;

    cr_assert_eq(pseudonym_key_make(path, NULL), CN_OK);
    cr_assert(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600);
    cr_assert_eq(pseudonym_key_load(&one, path, NULL), CN_OK);
    cr_assert_eq(pseudonym_key_make(path, NULL), CN_E_EXISTS);
    cr_assert_eq(pseudonym_key_make(scratch_path("other"), NULL), CN_OK);
    cr_assert_eq(pseudonym_key_load(&two, scratch_path("other"), NULL), CN_OK);
    cr_assert(memcmp(one, two, sizeof *one) != 0);
    pseudonym_key_free(one);
    pseudonym_key_free(two);
}

Test(pseudonym, refuses_files_that_others_can_read_or_that_are_no_keys)
{
    static const char *const texts[] = {"",
                                        "cairn-pseudonym-key 1\n" KEY,
                                        KEY "\n",
                                        "cairn-pseudonym-key 2\n" KEY "\n",
                                        "cairn-pseudonym-key 1\n" KEY "\n\n",
                                        "cairn-pseudonym-key 1\n"
                                        "000102030405060708090A0b0c0d0e0f"
                                        "101112131415161718191a1b1c1d1e1f\n"};
    struct pseudonym_key *key;
    struct cn_diag diag;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cr_assert_eq(load(&key, texts[i], 0600, &diag), CN_E_DATA, "%zu", i);
        cr_assert(!key && strstr(diag.hint, "cairn data key"));
    }
    cr_assert_eq(load(&key, "cairn-pseudonym-key 1\n" KEY "\n", 0640, &diag), CN_E_CONFIG);
    cr_assert(strstr(diag.hint, "chmod 600"));
    cr_assert_eq(pseudonym_key_load(&key, scratch_path("none"), NULL), CN_E_NOT_FOUND);
}
