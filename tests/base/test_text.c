/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/text.h"

Test(text, hex_round_trips_and_refuses)
{
    const uint8_t bytes[] = {0x00, 0x7f, 0xab, 0xff};
    uint8_t back[4] = {1, 1, 1, 1};
    char text[9];

    cr_assert_str_eq(cn_hex_encode(text, bytes, 4), "007fabff");
    cr_assert_eq(cn_hex_decode(back, 4, "007FabFF"), CN_OK);
    cr_assert_arr_eq(back, bytes, 4);
    cr_assert_eq(cn_hex_decode(back, 4, "007fabf"), CN_E_PARSE);
    cr_assert_eq(cn_hex_decode(back, 4, "007fabff0"), CN_E_PARSE);
    cr_assert_eq(cn_hex_decode(back, 4, "007fabfg"), CN_E_PARSE);
    cr_assert_eq(back[1], 0, "zeros after a failure");
}

Test(text, base64_known_answers)
{
    /* RFC 4648 section 10, without padding, and the two characters of the URL alphabet */
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"}};

    for (size_t i = 0; i < CN_COUNT(pairs); i++) {
        char text[16];
        uint8_t back[16];
        size_t len, plain_len = strlen(pairs[i][0]);

        cr_assert_str_eq(cn_base64_encode(text, (const uint8_t *)pairs[i][0], plain_len),
                         pairs[i][1]);
        cr_assert_eq(strlen(text), CN_BASE64_LEN(plain_len));
        cr_assert_eq(cn_base64_decode(back, sizeof back, &len, pairs[i][1]), CN_OK);
        cr_assert_eq(len, plain_len);
        cr_assert_eq(memcmp(back, pairs[i][0], len), 0);
    }
}

Test(text, base64_refuses_second_spellings_and_foreign_bytes)
{
    static const char *const wrong[] = {"Z",    "Zh",   "Zm9vY", "Zg==",   "Z g",
                                        "Zm9+", "Zm9/", "Zm8\n", "Zm\x80v"};
    uint8_t back[16];
    size_t len;

    for (size_t i = 0; i < CN_COUNT(wrong); i++)
        cr_assert_eq(cn_base64_decode(back, sizeof back, &len, wrong[i]), CN_E_PARSE, "%s",
                     wrong[i]);
    cr_assert_eq(cn_base64_decode(back, 2, &len, "Zm9v"), CN_E_TOO_LARGE);
    cr_assert_eq(cn_base64_decode(back, 3, &len, "Zm9v"), CN_OK);
}

Test(text, distance_counts_edits)
{
    cr_assert_eq(cn_text_distance("", ""), 0);
    cr_assert_eq(cn_text_distance("", "abc"), 3);
    cr_assert_eq(cn_text_distance("abc", ""), 3);
    cr_assert_eq(cn_text_distance("kitten", "sitting"), 3);
    cr_assert_eq(cn_text_distance("ruonds", "rounds"), 1, "a swap is one edit");
    cr_assert_eq(cn_text_distance("learning_rate", "learning_rates"), 1);
}

Test(text, nearest_offers_what_was_meant_and_nothing_else)
{
    static const char *const known[] = {"rounds", "momentum", "batch", "privacy"};

    cr_assert_str_eq(cn_text_nearest("roudns", known, 4), "rounds");
    cr_assert_str_eq(cn_text_nearest("momentun", known, 4), "momentum");
    cr_assert_str_eq(cn_text_nearest("batch", known, 4), "batch");
    cr_assert_null(cn_text_nearest("xylophone", known, 4));
    cr_assert_null(cn_text_nearest("", known, 4));
    cr_assert_null(cn_text_nearest("x", known, 0));
}

Test(text, distance_of_overlong_words_stays_in_bounds)
{
    char a[500], b[500];

    memset(a, 'a', sizeof a - 1);
    memset(b, 'b', sizeof b - 1);
    a[sizeof a - 1] = b[sizeof b - 1] = '\0';
    cr_assert_eq(cn_text_distance(a, b), 63);
}

Test(text, names_are_safe_in_files_and_logs)
{
    cr_assert(cn_text_is_name("silo-3_a.b", 63));
    cr_assert(cn_text_is_name("abc", 3));
    cr_assert_not(cn_text_is_name("abcd", 3));
    cr_assert_not(cn_text_is_name("", 63));
    cr_assert_not(cn_text_is_name(".hidden", 63));
    cr_assert_not(cn_text_is_name("-rf", 63));
    cr_assert_not(cn_text_is_name("a/b", 63));
    cr_assert_not(cn_text_is_name("a b", 63));
    cr_assert_not(cn_text_is_name("\xc3\xa9", 63));
}

static const char *json(const char *bytes, size_t len)
{
    static char out[256];
    struct cn_buf buf;

    cn_buf_init(&buf, sizeof out);
    cn_put_json(&buf, bytes, len);
    cr_assert_eq(cn_buf_finish(&buf), CN_OK);
    snprintf(out, sizeof out, "%.*s", (int)buf.len, (const char *)buf.data);
    cn_buf_clear(&buf);
    return out;
}

Test(text, json_escapes_everything_that_is_not_plain)
{
    cr_assert_str_eq(json("plain", 5), "\"plain\"");
    cr_assert_str_eq(json("", 0), "\"\"");
    cr_assert_str_eq(json("a\"b\\c", 5), "\"a\\\"b\\\\c\"");
    cr_assert_str_eq(json("\n\t\r\x1b[31m", 8), "\"\\n\\t\\u000d\\u001b[31m\"");
    cr_assert_str_eq(json("a\0b", 3), "\"a\\u0000b\"");
    cr_assert_str_eq(json("\x7f", 1), "\"\\u007f\"");
    cr_assert_str_eq(json("\xc2\x9b", 2), "\"\\u009b\"", "a C1 control is an escape too");
    cr_assert_str_eq(json("h\xc3\xa9", 3), "\"h\xc3\xa9\"");
    cr_assert_str_eq(json("\xe2\x80\xae", 3), "\"\\u202e\"", "no reordering of the line");
    cr_assert_str_eq(json("\xff"
                          "a\xc3",
                          3),
                     "\"\xef\xbf\xbd"
                     "a\xef\xbf\xbd\"");
}

Test(text, printable_shows_controls_as_bytes)
{
    struct cn_buf buf;

    cn_buf_init(&buf, 256);
    cn_put_printable(&buf, "a\x1b[2J\\\xff\xc3\xa9\xc2\x9b", 11);
    cn_put_u8(&buf, 0);
    cr_assert_str_eq((const char *)buf.data, "a\\x1b[2J\\\\\\xff\xc3\xa9\\xc2\\x9b");
    cn_buf_clear(&buf);
}

Test(text, utf8_is_as_the_rfc_has_it)
{
    static const char *const wrong[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xc3",         "\xe2\x82",         "\xf0\x9f\x98",     "\xc3\x28",
        "\xfe"};
    size_t bad;

    cr_assert(cn_utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", 14, NULL));
    cr_assert(cn_utf8_valid("", 0, NULL));
    for (size_t i = 0; i < CN_COUNT(wrong); i++)
        cr_assert_not(cn_utf8_valid(wrong[i], strlen(wrong[i]), NULL), "case %zu", i);
    cr_assert_not(cn_utf8_valid("ab\xff", 3, &bad));
    cr_assert_eq(bad, 2);
}
