/* SPDX-License-Identifier: Apache-2.0 */
/* Known answers: the layout in crypto/hash.h, written in Python and hashed by its hashlib. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>

#include "base/text.h"
#include "crypto/hash.h"

static void expect(const uint8_t got[HASH_BYTES], const char *want)
{
    char text[2 * HASH_BYTES + 1];

    cr_assert_str_eq(cn_hex_encode(text, got, HASH_BYTES), want);
}

Test(hash, blob_has_its_known_address)
{
    uint8_t out[HASH_BYTES];

    hash_blob(out, "abc", 3);
    expect(out, "1c860cae0e4650761cafbfab026c3aa173f0ae049934d1fa28a5d2e1c2b7636c");
}

Test(hash, parts_and_numbers_have_their_known_hash)
{
    struct hash hash;
    uint8_t out[HASH_BYTES];

    hash_init(&hash, "test");
    hash_add(&hash, "ab", 2);
    hash_add(&hash, "c", 1);
    hash_add_u64(&hash, 7);
    hash_final(&hash, out);
    expect(out, "dcbcc907a76326dda9167ae17e9d98705470d1e83e00e04058f9f37c22efe7f2");
}

Test(hash, no_part_and_an_empty_part_differ)
{
    struct hash hash;
    uint8_t out[HASH_BYTES];

    hash_init(&hash, "test");
    hash_final(&hash, out);
    expect(out, "27e3fcb0d3864427869e2f075228a9e8a876f06754927f403cc47e8eac9c7c4e");
    hash_of(out, "test", NULL, 0);
    expect(out, "ec689ae1072578e2c74320944a27e93b3cb7ed5c03aaf89ad755f6e5bd0b48da");
}

Test(hash, label_and_cuts_between_parts_matter)
{
    struct hash hash;
    uint8_t a[HASH_BYTES], b[HASH_BYTES], c[HASH_BYTES];

    hash_init(&hash, "test");
    hash_add(&hash, "ab", 2);
    hash_add(&hash, "c", 1);
    hash_final(&hash, a);
    hash_init(&hash, "test");
    hash_add(&hash, "a", 1);
    hash_add(&hash, "bc", 2);
    hash_final(&hash, b);
    hash_init(&hash, "tes");
    hash_add(&hash, "ab", 2);
    hash_add(&hash, "c", 1);
    hash_final(&hash, c);
    cr_assert(memcmp(a, b, HASH_BYTES) != 0);
    cr_assert(memcmp(a, c, HASH_BYTES) != 0);
}

Test(hash, part_in_pieces_is_the_part)
{
    uint8_t blob[1000], a[HASH_BYTES], b[HASH_BYTES];
    struct hash hash;

    for (size_t i = 0; i < sizeof blob; i++)
        blob[i] = (uint8_t)(i * 31);
    hash_blob(a, blob, sizeof blob);
    hash_init(&hash, HASH_BLOB_LABEL);
    hash_part(&hash, sizeof blob);
    for (size_t at = 0; at < sizeof blob; at += 125)
        hash_part_more(&hash, blob + at, 125);
    hash_final(&hash, b);
    cr_assert_arr_eq(a, b, HASH_BYTES);
}

Test(hash, final_wipes_the_state)
{
    struct hash hash;
    uint8_t out[HASH_BYTES];

    hash_init(&hash, "test");
    hash_add(&hash, "secret", 6);
    hash_final(&hash, out);
    cr_assert(sodium_is_zero((const uint8_t *)&hash, sizeof hash));
}

Test(hash, end_before_a_part_is_whole_is_a_bug, .signal = SIGABRT)
{
    struct hash hash;
    uint8_t out[HASH_BYTES];

    hash_init(&hash, "test");
    hash_part(&hash, 3);
    hash_part_more(&hash, "ab", 2);
    hash_final(&hash, out);
}

Test(hash, more_than_a_part_promised_is_a_bug, .signal = SIGABRT)
{
    struct hash hash;

    hash_init(&hash, "test");
    hash_part(&hash, 1);
    hash_part_more(&hash, "ab", 2);
}

Test(hash, empty_label_is_a_bug, .signal = SIGABRT)
{
    struct hash hash;

    hash_init(&hash, "");
}

Test(hash, label_longer_than_its_prefix_can_say_is_a_bug, .signal = SIGABRT)
{
    char label[HASH_LABEL_MAX + 2];
    struct hash hash;

    memset(label, 'a', sizeof label - 1);
    label[sizeof label - 1] = '\0';
    hash_init(&hash, label);
}
