/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "crypto/hash.h"
#include "crypto/keyfile.h"
#include "crypto/keyfile_internal.h"

#define PLAIN                                                                                      \
    "cairn-key 1 plain\n"                                                                          \
    "public ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1\n"                    \
    "seed 0303030303030303030303030303030303030303030303030303030303030303\n"
#define PLAIN_WHOLE PLAIN "check 7e20ad4f46c97491\n"

static const struct keyfile_cost cheap = {1, KEYFILE_MEMORY_MIN};
static char folder[] = "/tmp/cairn-keyfile-XXXXXX";
static char path[64];

static void begin(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/device.key", folder);
}

static void end(void)
{
    unlink(path);
    rmdir(folder);
}

TestSuite(keyfile, .init = begin, .fini = end);

static struct sign_key *key_three(void)
{
    struct sign_key *key;
    uint8_t seed[SIGN_SEED_BYTES];

    memset(seed, 3, sizeof seed);
    cr_assert(sign_key_from_seed(&key, seed) == CN_OK);
    return key;
}

static void write_text(const void *text, size_t len)
{
    cr_assert(cn_file_write(path, text, len, 0600, NULL) == CN_OK);
}

static size_t read_text(char *out, size_t max)
{
    struct cn_buf buf;
    size_t len;

    cr_assert(cn_file_read(&buf, path, max - 1, NULL) == CN_OK);
    len = buf.len;
    memcpy(out, buf.data, len + 1);
    cn_buf_clear(&buf);
    return len;
}

/* Writes lines with the check line that fits them. */
static void write_checked(const char *lines)
{
    uint8_t digest[HASH_BYTES];
    char text[1200], check[17];

    hash_of(digest, "cairn-key-file", lines, strlen(lines));
    sodium_bin2hex(check, sizeof check, digest, 8);
    snprintf(text, sizeof text, "%scheck %s\n", lines, check);
    write_text(text, strlen(text));
}

static void refused(const char *passphrase, enum cn_err want, const char *word)
{
    struct cn_diag diag = {0};
    struct sign_key *key;
    enum cn_err err = keyfile_load(&key, path, passphrase, &diag);

    cr_assert(err == want, "%s: %s", cn_err_name(err), diag.text);
    cr_assert_null(key);
    cr_assert_not_null(strstr(diag.text, word), "%s", diag.text);
    cr_assert_str_eq(diag.place, path);
}

static void loads(const char *passphrase)
{
    struct cn_diag diag = {0};
    struct sign_key *key;
    uint8_t seed[SIGN_SEED_BYTES], threes[SIGN_SEED_BYTES];

    memset(threes, 3, sizeof threes);
    cr_assert(keyfile_load(&key, path, passphrase, &diag) == CN_OK, "%s", diag.text);
    sign_key_seed(key, seed);
    cr_assert_arr_eq(seed, threes, sizeof seed);
    sign_key_free(key);
}

static void save_locked(const char *passphrase)
{
    struct sign_key *key = key_three();

    cr_assert(keyfile_save_at(path, key, passphrase, &cheap, NULL) == CN_OK);
    sign_key_free(key);
}

Test(keyfile, plain_file_is_the_text_of_an_independent_program)
{
    struct sign_key *key = key_three();
    struct stat status;
    char text[1000];

    cr_assert(keyfile_save(path, key, NULL, NULL) == CN_OK);
    read_text(text, sizeof text);
    cr_assert_str_eq(text, PLAIN_WHOLE);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    loads(NULL);
    loads("not looked at");
    sign_key_free(key);
}

Test(keyfile, locked_file_opens_with_its_passphrase_only)
{
    save_locked("correct horse");
    loads("correct horse");
    refused("correct hors", CN_E_AUTH, "passphrase is wrong");
    refused("", CN_E_AUTH, "passphrase is wrong");
    refused(NULL, CN_E_CONFIG, "locked with a passphrase");
}

Test(keyfile, locked_file_does_not_hold_the_seed)
{
    char text[1000];

    save_locked("correct horse");
    read_text(text, sizeof text);
    cr_assert_eq(strncmp(text, "cairn-key 1 argon2id\npublic ed4928", 34), 0);
    cr_assert_null(strstr(text, "03030303"));
}

Test(keyfile, two_locked_files_of_one_key_differ)
{
    char one[1000], two[1000];

    save_locked("x");
    read_text(one, sizeof one);
    unlink(path);
    save_locked("x");
    read_text(two, sizeof two);
    cr_assert_str_neq(strstr(one, "salt"), strstr(two, "salt"));
}

/* Once, at the price that people pay: about a second. */
Test(keyfile, passphrase_costs_three_passes_over_256_mib)
{
    struct sign_key *key = key_three();
    char text[1000];

    cr_assert(keyfile_save(path, key, "correct horse", NULL) == CN_OK);
    read_text(text, sizeof text);
    cr_assert_not_null(strstr(text, "\ncost 3 268435456\n"));
    sign_key_free(key);
}

Test(keyfile, tells_whether_a_passphrase_is_needed)
{
    bool locked = false;

    cr_assert(keyfile_is_locked(path, &locked) == CN_E_NOT_FOUND);
    save_locked("x");
    cr_assert(keyfile_is_locked(path, &locked) == CN_OK);
    cr_assert(locked);
    write_text(PLAIN_WHOLE, strlen(PLAIN_WHOLE));
    cr_assert(keyfile_is_locked(path, &locked) == CN_OK);
    cr_assert_not(locked);
    write_text("hello\n", 6);
    cr_assert(keyfile_is_locked(path, &locked) == CN_E_DATA);
}

Test(keyfile, never_overwrites)
{
    struct sign_key *key = key_three();
    struct cn_diag diag = {0};
    char text[100];

    write_text("precious", 8);
    cr_assert(keyfile_save(path, key, NULL, &diag) == CN_E_EXISTS);
    cr_assert_not_null(strstr(diag.text, "never overwritten"));
    read_text(text, sizeof text);
    cr_assert_str_eq(text, "precious");
    sign_key_free(key);
}

Test(keyfile, empty_and_endless_passphrases_are_refused)
{
    struct sign_key *key = key_three();
    char text[KEYFILE_PASSPHRASE_MAX + 2];

    memset(text, 'p', sizeof text);
    text[sizeof text - 1] = '\0';
    cr_assert(keyfile_save_at(path, key, "", &cheap, NULL) == CN_E_CONFIG);
    cr_assert(keyfile_save_at(path, key, text, &cheap, NULL) == CN_E_CONFIG);
    text[KEYFILE_PASSPHRASE_MAX] = '\0';
    cr_assert(keyfile_save_at(path, key, text, &cheap, NULL) == CN_OK);
    loads(text);
    sign_key_free(key);
}

Test(keyfile, save_into_no_folder_fails)
{
    struct sign_key *key = key_three();
    struct cn_diag diag = {0};

    cr_assert(keyfile_save("/nonexistent/key", key, NULL, &diag) == CN_E_NOT_FOUND);
    cr_assert_neq(diag.text[0], '\0');
    sign_key_free(key);
}

Test(keyfile, file_that_others_can_use_is_refused_with_the_command_that_helps)
{
    static const mode_t modes[] = {0640, 0604, 0644, 0660, 0666, 0601, 0620};
    struct cn_diag diag;
    struct sign_key *key;

    write_text(PLAIN_WHOLE, strlen(PLAIN_WHOLE));
    for (size_t i = 0; i < CN_COUNT(modes); i++) {
        cn_diag_clear(&diag);
        cr_assert_eq(chmod(path, modes[i]), 0);
        cr_assert(keyfile_load(&key, path, NULL, &diag) == CN_E_CONFIG);
        cr_assert_eq(strncmp(diag.hint, "chmod 600 /", 11), 0, "%s", diag.hint);
        cr_assert_null(key);
    }
    cr_assert_eq(chmod(path, 0400), 0);
    loads(NULL);
}

Test(keyfile, missing_file_and_folder_are_told)
{
    struct cn_diag diag = {0};
    struct sign_key *key;

    refused(NULL, CN_E_NOT_FOUND, "can not be opened");
    cr_assert(keyfile_load(&key, folder, NULL, &diag) == CN_E_DATA);
    cr_assert_not_null(strstr(diag.text, "no key file"));
}

Test(keyfile, foreign_and_newer_files_are_told_apart)
{
    static char big[5000];

    write_text("", 0);
    refused(NULL, CN_E_DATA, "is empty");
    write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n", 36);
    refused(NULL, CN_E_DATA, "no key file");
    write_checked("cairn-key 2 plain\n");
    refused(NULL, CN_E_DATA, "does not know this kind");
    write_checked("cairn-key 1 plain \n");
    refused(NULL, CN_E_DATA, "does not know this kind");
    memset(big, 'a', sizeof big);
    memcpy(big, PLAIN_WHOLE, strlen(PLAIN_WHOLE));
    write_text(big, sizeof big);
    refused(NULL, CN_E_DATA, "no key file");
}

Test(keyfile, every_truncation_is_called_incomplete)
{
    char text[1000];
    size_t len;

    for (len = 1; len < strlen(PLAIN_WHOLE); len++) {
        write_text(PLAIN_WHOLE, len);
        refused(NULL, CN_E_DATA, "incomplete");
    }
    unlink(path);
    save_locked("x");
    len = read_text(text, sizeof text);
    for (size_t part = 1; part < len; part++) {
        write_text(text, part);
        refused("x", CN_E_DATA, "incomplete");
    }
}

Test(keyfile, every_changed_byte_is_refused_before_the_passphrase_is_tried)
{
    char text[1000];
    size_t len;

    save_locked("x");
    len = read_text(text, sizeof text);
    for (size_t i = 0; i < len; i++) {
        struct sign_key *key;

        text[i] ^= 1;
        write_text(text, len);
        cr_assert(keyfile_load(&key, path, "x", NULL) == CN_E_DATA, "byte %zu", i);
        text[i] ^= 1;
    }
}

Test(keyfile, damage_in_the_middle_is_called_damage)
{
    char text[sizeof PLAIN_WHOLE] = PLAIN_WHOLE;

    text[40] ^= 1;
    write_text(text, strlen(PLAIN_WHOLE));
    refused(NULL, CN_E_DATA, "damaged");
    text[40] = '\0';
    write_text(text, strlen(PLAIN_WHOLE));
    refused(NULL, CN_E_DATA, "damaged");
}

/* Files that someone wrote by hand, with a right check line. */
Test(keyfile, other_forms_of_the_same_key_are_refused)
{
    char text[sizeof PLAIN + 20] = PLAIN;

    text[strlen("cairn-key 1 plain\npublic ")] = 'E';
    write_checked(text);
    refused(NULL, CN_E_DATA, "damaged");
    strcpy(text, PLAIN "more\n");
    write_checked(text);
    refused(NULL, CN_E_DATA, "damaged");
    strcpy(text, PLAIN);
    text[strlen(PLAIN) - 2] = '4'; /* the seed of another public key */
    write_checked(text);
    refused(NULL, CN_E_DATA, "damaged");
    write_checked("cairn-key 1 plain\n");
    refused(NULL, CN_E_DATA, "damaged");
    write_checked(PLAIN);
    loads(NULL);
}

static void write_cost(const char *cost)
{
    char text[1000], made[1000], *begins, *ends;

    save_locked("x");
    read_text(text, sizeof text);
    begins = strstr(text, "cost ");
    ends = strstr(text, "salt ");
    strstr(text, "check ")[0] = '\0';
    snprintf(made, sizeof made, "%.*scost %s\n%s", (int)(begins - text), text, cost, ends);
    unlink(path);
    write_checked(made);
}

Test(keyfile, hostile_costs_are_refused_at_once)
{
    static const char *const costs[] = {
        "1 1099511627776", "1 1073741825", "17 8192",
        "0 8192",          "1 8191",       "18446744073709551615 18446744073709551615"};
    static const char *const forms[] = {"01 8192", "1  8192", "1 8192 ", "-1 8192", "1", ""};

    for (size_t i = 0; i < CN_COUNT(costs); i++) {
        write_cost(costs[i]);
        refused("x", CN_E_DATA, "would cost");
        unlink(path);
    }
    for (size_t i = 0; i < CN_COUNT(forms); i++) {
        write_cost(forms[i]);
        refused("x", CN_E_DATA, "damaged");
        unlink(path);
    }
}

/* The cost is part of what the box is bound to: a lower one does not open it. */
Test(keyfile, changed_cost_does_not_open_the_box)
{
    write_cost("2 8192");
    refused("x", CN_E_AUTH, "passphrase is wrong");
    unlink(path);
    write_cost("1 8192");
    loads("x");
}
