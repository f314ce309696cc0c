/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "ledger_fixture.h"

TestSuite(ledger, .init = fixture_start, .fini = fixture_stop);

struct seen {
    uint64_t count;
    struct ledger_entry entry[64];
};

static enum cn_err keep(void *ctx, const struct ledger_entry *entry)
{
    struct seen *seen = ctx;

    cr_assert_lt(seen->count, CN_COUNT(seen->entry));
    seen->entry[seen->count++] = *entry;
    return CN_OK;
}

static struct ledger_summary read_all(struct seen *seen)
{
    struct ledger_summary summary;

    memset(seen, 0, sizeof *seen);
    cr_assert_eq(ledger_read(path, keep, seen, &summary, NULL), CN_OK);
    return summary;
}

Test(ledger, opens_a_new_file_with_a_line_that_says_whose_it_is)
{
    static struct seen seen;
    uint8_t public_key[SIGN_PUBLIC_BYTES], head[HASH_BYTES];
    uint64_t count;
    struct ledger *ledger = fixture_open();
    struct stat info;

    ledger_head(ledger, head, &count);
    ledger_close(ledger);
    struct ledger_summary summary = read_all(&seen);
    sign_key_public(key, public_key);
    cr_assert_eq(count, 1);
    cr_assert_eq(summary.lines, 1);
    cr_assert_arr_eq(summary.head, head, HASH_BYTES);
    cr_assert_arr_eq(summary.public_key, public_key, sizeof public_key);
    cr_assert_str_eq(summary.owner, owner.owner);
    cr_assert_str_eq(summary.role, "device");
    cr_assert_eq(summary.first_time_s, FIXTURE_TIME);
    cr_assert_str_eq(seen.entry[0].kind, "opened");
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0600);
}

Test(ledger, gives_every_field_back)
{
    static struct seen seen;
    struct ledger *ledger = fixture_open();
    struct ledger_entry entry = fixture_spent(3);

    entry.event.noise_multiplier = 0.1 + 0.2; /* needs 17 digits */
    entry.event.sampling_rate = 1e-7;
    entry.event.steps = ACCOUNTANT_STEPS_MAX;
    entry.cohort = UINT32_MAX;
    entry.survivors = 7;
    memset(entry.roster, 0xfe, sizeof entry.roster);
    memset(entry.model, 0x80, sizeof entry.model);
    snprintf(entry.reason, sizeof entry.reason, "\"quoted\" \\ and \xc3\xa4\xe2\x82\xac /");
    cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
    ledger_close(ledger);
    struct ledger_summary summary = read_all(&seen);
    cr_assert_eq(summary.lines, 2);
    cr_assert_eq(summary.last_time_s, entry.time_s);
    cr_assert(memcmp(&seen.entry[1], &entry, sizeof entry) == 0);
}

Test(ledger, goes_on_where_it_stopped)
{
    static struct seen seen;

    fixture_write(4);
    struct ledger *ledger = fixture_open();
    struct ledger_entry entry = fixture_spent(9);

    cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
    cr_assert_eq(entry.sequence, 4);
    ledger_close(ledger);
    cr_assert_eq(read_all(&seen).lines, 5);
    cr_assert_eq(seen.entry[4].round, 9);
}

Test(ledger, has_one_writer_at_a_time)
{
    struct ledger *first = fixture_open(), *second = NULL;
    struct cn_diag diag;

    cn_diag_clear(&diag);
    cr_assert_eq(ledger_open(&second, path, key, &owner, &diag), CN_E_BUSY);
    cr_assert_null(second);
    cr_assert(diag.text[0]);
    ledger_close(first);
    ledger_close(fixture_open());
}

Test(ledger, belongs_to_one_key)
{
    static const uint8_t other_seed[SIGN_SEED_BYTES] = {9};
    struct sign_key *other;
    struct ledger *ledger;
    struct cn_diag diag;

    fixture_write(2);
    cn_diag_clear(&diag);
    cr_assert_eq(sign_key_from_seed(&other, other_seed), CN_OK);
    cr_assert_eq(ledger_open(&ledger, path, other, &owner, &diag), CN_E_AUTH);
    cr_assert(strstr(diag.text, "another key"), "%s", diag.text);
    sign_key_free(other);
}

Test(ledger, mends_a_last_line_torn_at_any_byte)
{
    static struct seen seen;
    size_t len, len_after;
    char *text, *after, aside[160];

    fixture_write(3);
    text = fixture_text(&len);
    size_t whole = (size_t)(fixture_line(text, 2) - text);
    snprintf(aside, sizeof aside, "%s.torn", path);
    for (size_t cut = whole + 1; cut < len; cut += 13) {
        struct ledger_summary summary;
        struct cn_buf torn;

        fixture_put(text, cut);
        cr_assert_eq(ledger_read(path, NULL, NULL, &summary, NULL), CN_OK);
        cr_assert_eq(summary.torn_bytes, cut - whole);
        cr_assert_eq(summary.lines, 2);
        ledger_close(fixture_open());
        summary = read_all(&seen);
        cr_assert_eq(summary.torn_bytes, 0);
        cr_assert_eq(seen.count, 3);
        cr_assert_str_eq(seen.entry[2].kind, "recovered");
        cr_assert_eq(strtoul(seen.entry[2].reason, NULL, 10), cut - whole);
        cr_assert_eq(cn_file_read(&torn, aside, LEDGER_LINE_MAX, NULL), CN_OK);
        cr_assert_eq(torn.len, cut - whole);
        cr_assert(memcmp(torn.data, text + whole, torn.len) == 0);
        cn_buf_clear(&torn);
        after = fixture_text(&len_after);
        cr_assert(memcmp(after, text, whole) == 0);
        free(after);
    }
    free(text);
}

Test(ledger, starts_again_when_the_very_first_line_was_torn)
{
    static struct seen seen;

    fixture_put("{\"sequence\":0,\"ti", 17);
    ledger_close(fixture_open());
    read_all(&seen);
    cr_assert_eq(seen.count, 2);
    cr_assert_str_eq(seen.entry[0].kind, "opened");
    cr_assert_str_eq(seen.entry[1].kind, "recovered");
}

Test(ledger, does_not_mend_what_no_crash_does)
{
    struct ledger *ledger;
    struct cn_diag diag;
    size_t len;
    char *text;

    fixture_write(4);
    text = fixture_text(&len);
    *strstr(fixture_line(text, 1), "0.95") = '9';
    fixture_put(text, len);
    cn_diag_clear(&diag);
    cr_assert_eq(ledger_open(&ledger, path, key, &owner, &diag), CN_E_TAMPERED);
    cr_assert_eq(diag.line, 2);
    cr_assert(strstr(diag.text, "changed"), "%s", diag.text);
    fixture_put("a note of somebody's, without a newline", 39);
    cr_assert_eq(ledger_open(&ledger, path, key, &owner, NULL), CN_E_TAMPERED);
    free(text);
}

Test(ledger, cuts_a_line_back_that_the_disk_has_no_room_for)
{
    static struct seen seen;
    struct ledger *ledger = fixture_open();
    struct ledger_entry entry = fixture_spent(1);
    struct rlimit limit;
    size_t len, len_after;
    char *text, *after;

    cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
    text = fixture_text(&len);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    for (size_t room = 0; room < 400; room += 57) {
        const struct rlimit tight = {len + room, limit.rlim_max};

        cr_assert_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
        cr_assert_eq(ledger_append(ledger, &entry), CN_E_NOSPACE);
        after = fixture_text(&len_after);
        cr_assert_eq(len_after, len);
        cr_assert(memcmp(after, text, len) == 0);
        free(after);
    }
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(ledger_append(ledger, &entry), CN_OK, "usable again when there is room");
    ledger_close(ledger);
    cr_assert_eq(read_all(&seen).lines, 3);
    free(text);
}

Test(ledger, says_when_it_can_not_be_made)
{
    struct ledger *ledger;
    struct cn_diag diag;

    cn_diag_clear(&diag);
    cr_assert_eq(ledger_open(&ledger, "/nonexistent/folder/ledger", key, &owner, &diag),
                 CN_E_NOT_FOUND);
    cr_assert(diag.text[0]);
    cr_assert_eq(ledger_open(&ledger, folder, key, &owner, NULL), CN_E_IO, "a folder is no ledger");
    unlink(strcat(strcpy(path, folder), ".lock"));
}

Test(ledger, refuses_entries_that_have_no_line)
{
    static struct seen seen;
    struct ledger *ledger = fixture_open();

#define REFUSES(change)                                                                            \
    do {                                                                                           \
        struct ledger_entry entry = fixture_spent(1);                                              \
        change;                                                                                    \
        cr_assert_eq(ledger_append(ledger, &entry), CN_E_CONFIG, #change);                         \
    } while (0)
    REFUSES(entry.kind[0] = '\0');
    REFUSES(entry.kind[0] = 'S');
    REFUSES(strcpy(entry.kind, "opened"));
    REFUSES(memset(entry.kind, 'a', sizeof entry.kind));
    REFUSES(memset(entry.task, 'a', sizeof entry.task));
    REFUSES(strcpy(entry.task, "a\nb"));
    REFUSES(strcpy(entry.task, "\xff"));
    REFUSES(strcpy(entry.owner, "somebody"));
    REFUSES(entry.public_key[0] = 1);
    REFUSES(entry.time_s = -1);
    REFUSES(entry.delta = 1);
    REFUSES(entry.delta = -0.1);
    REFUSES(entry.event.noise_multiplier = 0);
    REFUSES(entry.event.steps = ACCOUNTANT_STEPS_MAX + 1);
    ledger_close(ledger);
    cr_assert_eq(read_all(&seen).lines, 1);
}

Test(ledger, cleans_the_words_of_others)
{
    static struct seen seen;
    struct ledger *ledger = fixture_open();
    struct ledger_entry entry = fixture_spent(1);

    strcpy(entry.reason, "bad\n\x1b[31m\xff");
    cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
    memset(entry.reason, 'x', sizeof entry.reason); /* not even terminated */
    cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
    ledger_close(ledger);
    read_all(&seen);
    cr_assert_str_eq(seen.entry[1].reason, "bad??[31m?");
    cr_assert_eq(strlen(seen.entry[2].reason), LEDGER_REASON_MAX - 1);
}

Test(ledger, refuses_an_owner_without_a_name)
{
    const struct ledger_owner bad[] = {
        {"", "device", 1},
        {"me", "", 1},
        {"me", "Device", 1},
        {"a name that is much, much longer than the sixty-three bytes "
         "there is room for",
         "device", 1}};
    struct ledger *ledger;

    for (size_t i = 0; i < CN_COUNT(bad); i++) {
        cr_assert_eq(ledger_open(&ledger, path, key, &bad[i], NULL), CN_E_CONFIG);
        cr_assert_null(ledger);
    }
    ledger_close(fixture_open());
}
