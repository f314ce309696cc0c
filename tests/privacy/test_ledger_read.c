/* SPDX-License-Identifier: Apache-2.0 */
/* Every way to damage a ledger, and the name each is given. */
#include "ledger_fixture.h"
#include "privacy/ledger_line.h"

#define LINES 12

static char *text;
static size_t len;

static void start(void)
{
    fixture_start();
    fixture_write(LINES);
    text = fixture_text(&len);
}

static void stop(void)
{
    free(text);
    fixture_stop();
}

TestSuite(ledger_read, .init = start, .fini = stop);

static struct ledger_summary expect_as(struct ledger_reading reading, enum ledger_fault fault,
                                       uint64_t line)
{
    struct ledger_summary summary;
    struct cn_diag diag;
    char words[CN_DIAG_LINE_MAX];

    for (int every = 0; every < 2; every++) {
        cn_diag_clear(&diag);
        reading.every_signature = every;
        cr_assert_eq(ledger_read_as(path, &reading, &summary, &diag),
                     fault == LEDGER_NONE ? CN_OK : CN_E_TAMPERED);
        cr_assert_eq(summary.fault, fault, "%s", cn_diag_line(&diag, words));
        cr_assert_eq(summary.bad_line, line, "%s", cn_diag_line(&diag, words));
        if (fault != LEDGER_NONE) {
            cr_assert_eq(diag.line, line);
            cr_assert(strstr(diag.text, ledger_fault_text(fault)));
            cr_assert(diag.hint[0]);
            cr_assert_eq(summary.lines, line - 1);
        }
    }
    return summary;
}

static void expect(enum ledger_fault fault, uint64_t line)
{
    expect_as((struct ledger_reading){0}, fault, line);
}

static void put(void)
{
    fixture_put(text, len);
}

static void remove_line(size_t n)
{
    char *line = fixture_line(text, n);
    size_t line_len = fixture_line_len(line);

    memmove(line, line + line_len, len - (size_t)(line - text) - line_len);
    len -= line_len;
}

/* Puts line n, from 0, before line m < n. */
static void move_line(size_t n, size_t m)
{
    static char copy[LEDGER_LINE_MAX];
    char *from = fixture_line(text, n), *to = fixture_line(text, m);
    size_t line_len = fixture_line_len(from);

    memcpy(copy, from, line_len);
    memmove(to + line_len, to, (size_t)(from - to));
    memcpy(to, copy, line_len);
}

Test(ledger_read, accepts_what_was_written)
{
    struct ledger_reading reading = {0};
    struct ledger_summary summary = expect_as(reading, LEDGER_NONE, 0);

    cr_assert_eq(summary.lines, LINES);
    cr_assert_eq(summary.bytes, len);
    cr_assert_eq(summary.signatures, LINES);
    cr_assert_eq(ledger_read(path, NULL, NULL, &summary, NULL), CN_OK);
    cr_assert_eq(summary.signatures, 2, "the last vouches for those before");
}

Test(ledger_read, names_a_changed_digit_wherever_it_is)
{
    for (size_t n = 1; n < LINES; n++) {
        char *digit = strstr(fixture_line(text, n), "0.034");

        digit[4] = '2';
        put();
        expect(LEDGER_CHANGED, n + 1);
        digit[4] = '4';
    }
    char *digit = strstr(text, "\"time\":1795");
    digit[10] = '9';
    put();
    expect(LEDGER_CHANGED, 1);
}

Test(ledger_read, names_a_changed_signature)
{
    for (size_t n = 0; n < LINES; n += 4) {
        char *digit = strstr(fixture_line(text, n), "\"signature\":\"") + 40;
        char was = *digit;

        *digit = was == '0' ? '1' : '0';
        put();
        expect(LEDGER_CHANGED, n + 1);
        *digit = was;
    }
}

Test(ledger_read, names_a_gap)
{
    remove_line(5);
    put();
    expect(LEDGER_GAP, 6);
    remove_line(5);
    put();
    expect(LEDGER_GAP, 6);
}

Test(ledger_read, names_a_missing_start)
{
    remove_line(0);
    put();
    expect(LEDGER_GAP, 1);
}

Test(ledger_read, names_lines_out_of_order)
{
    move_line(5, 4);
    put();
    expect(LEDGER_SWAPPED, 5);
}

Test(ledger_read, names_lines_that_moved_far)
{
    move_line(10, 2);
    put();
    expect(LEDGER_SWAPPED, 3);
}

Test(ledger_read, names_a_first_line_that_is_not_first)
{
    move_line(1, 0);
    put();
    expect(LEDGER_SWAPPED, 1);
}

Test(ledger_read, names_a_doubled_line)
{
    char *line = fixture_line(text, 3);
    size_t line_len = fixture_line_len(line);

    text = realloc(text, len + line_len);
    line = fixture_line(text, 3);
    memmove(line + line_len, line, len - (size_t)(line - text));
    len += line_len;
    put();
    expect(LEDGER_SWAPPED, 5);
}

Test(ledger_read, knows_that_lines_are_missing_at_the_end_if_told_the_head)
{
    struct ledger_summary summary = expect_as((struct ledger_reading){0}, LEDGER_NONE, 0);
    struct ledger_mark mark = {.count = summary.lines};
    struct ledger_reading reading = {.marks = &mark, .mark_count = 1};

    memcpy(mark.head, summary.head, sizeof mark.head);
    expect_as(reading, LEDGER_NONE, 0);
    remove_line(LINES - 1);
    put();
    expect(LEDGER_NONE, 0);
    expect_as(reading, LEDGER_TRUNCATED, LINES);
    remove_line(LINES - 2);
    put();
    expect_as(reading, LEDGER_TRUNCATED, LINES - 1);
}

Test(ledger_read, knows_a_history_that_was_written_anew)
{
    struct ledger_summary summary = expect_as((struct ledger_reading){0}, LEDGER_NONE, 0);
    struct ledger_mark mark = {.count = summary.lines};
    struct ledger_reading reading = {.marks = &mark, .mark_count = 1};

    memcpy(mark.head, summary.head, sizeof mark.head);
    fixture_put("", 0);
    struct ledger *ledger = fixture_open();
    for (uint32_t n = 1; n < LINES + 3; n++) {
        struct ledger_entry entry = fixture_spent(n);

        entry.event.noise_multiplier = 2;
        cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
    }
    ledger_close(ledger);
    expect(LEDGER_NONE, 0);
    expect_as(reading, LEDGER_FORKED, LINES);
}

Test(ledger_read, names_a_line_of_another_history_of_the_same_owner)
{
    char *fork = strndup(text, len), *line;
    size_t fork_len = (size_t)(fixture_line(fork, 5) - fork);

    fixture_put(fork, fork_len);
    struct ledger *ledger = fixture_open();
    struct ledger_entry entry = fixture_spent(5);

    entry.event.noise_multiplier = 0.96;
    cr_assert_eq(ledger_append(ledger, &entry), CN_OK); /* as line 6, properly signed */
    ledger_close(ledger);
    free(fork);
    fork = fixture_text(&fork_len);
    line = fixture_line(text, 5);
    cr_assert_eq(fixture_line_len(line), fixture_line_len(fixture_line(fork, 5)));
    memcpy(line, fixture_line(fork, 5), fixture_line_len(line));
    put();
    expect(LEDGER_FOREIGN, 7);
    free(fork);
}

/* Rewrites lines from the fourth on with a key of the forger's, the chain intact. */
Test(ledger_read, finds_where_a_forged_chain_starts)
{
    static const uint8_t seed[SIGN_SEED_BYTES] = {66};
    static struct ledger_line line;
    struct sign_key *forger;
    uint8_t head[HASH_BYTES];
    struct cn_buf out;

    cr_assert_eq(sign_key_from_seed(&forger, seed), CN_OK);
    cn_buf_init(&out, FIXTURE_FILE_MAX);
    for (size_t n = 0; n < LINES; n++) {
        const char *from = fixture_line(text, n);

        cr_assert_eq(ledger_line_parse(&line, from, fixture_line_len(from) - 1), CN_OK);
        if (n >= 3) {
            line.entry.event.noise_multiplier = 9;
            memcpy(line.previous, head, HASH_BYTES);
            cr_assert_eq(ledger_line_make(&line, forger), CN_OK);
        }
        cn_put_bytes(&out, line.text, line.len);
        cn_put_u8(&out, '\n');
        ledger_line_hash(head, &line);
    }
    fixture_put((const char *)out.data, out.len);
    expect(LEDGER_CHANGED, 4);
    cn_buf_clear(&out);
    sign_key_free(forger);
}

Test(ledger_read, knows_its_owners_key)
{
    uint8_t wanted[SIGN_PUBLIC_BYTES];
    struct ledger_reading reading = {.public_key = wanted};

    sign_key_public(key, wanted);
    expect_as(reading, LEDGER_NONE, 0);
    wanted[3] ^= 1;
    expect_as(reading, LEDGER_OTHER_KEY, 1);
}

static void expect_replaced(const char *old, const char *other)
{
    struct cn_buf out;
    char *line = fixture_line(text, 4), *at = strstr(line, old);

    cr_assert(at);
    cn_buf_init(&out, FIXTURE_FILE_MAX);
    cn_put_bytes(&out, text, (size_t)(at - text));
    cn_put_bytes(&out, other, strlen(other));
    cn_put_bytes(&out, at + strlen(old), len - (size_t)(at - text) - strlen(old));
    fixture_put((const char *)out.data, out.len);
    expect(LEDGER_MALFORMED, 5);
    cn_buf_clear(&out);
}

Test(ledger_read, refuses_every_other_spelling_of_a_line)
{
    expect_replaced(",\"kind\"", ", \"kind\"");
    expect_replaced("\"kind\":\"spent\"", "\"kind\":\"sp\\u0065nt\"");
    expect_replaced("0.95", "0.950");
    expect_replaced("0.95", "9.5e-1");
    expect_replaced("0.95", "nan");
    expect_replaced("0.95", "-0.95");
    expect_replaced("\"steps\":29", "\"steps\":29.0");
    expect_replaced("\"round\":4", "\"round\":04");
    expect_replaced("\"round\":4", "\"round\":4294967300");
    expect_replaced("\"round\":4", "\"round\":4,\"extra\":1");
    expect_replaced("\"round\":4,\"attempt\":1", "\"attempt\":1,\"round\":4");
    expect_replaced("\"attempt\":1", "\"attempt\":1,\"attempt\":1");
    expect_replaced("\"attempt\":1", "\"attempt\":0");
    expect_replaced("\"task_id\":\"ab", "\"task_id\":\"AB");
    expect_replaced("\"task_id\":\"ab", "\"task_id\":\"b");
    expect_replaced("\"previous\"", "\"prevision\"");
    expect_replaced("\"}\n", "\"} \n");
    expect_replaced("\"}\n", "\"}\r\n");
    expect_replaced("\"}\n", "\"}}\n");
    expect_replaced("{\"sequence\":4", "\n{\"sequence\":4");
}

Test(ledger_read, refuses_a_line_that_never_ends)
{
    char *endless = malloc(3 * (size_t)LEDGER_LINE_MAX);

    memset(endless, 'a', 3 * (size_t)LEDGER_LINE_MAX);
    fixture_put(endless, 3 * (size_t)LEDGER_LINE_MAX);
    expect(LEDGER_MALFORMED, 1);
    free(endless);
}

Test(ledger_read, refuses_an_empty_file_and_a_missing_one)
{
    struct ledger_summary summary;
    struct cn_diag diag;

    fixture_put("", 0);
    expect(LEDGER_EMPTY, 1);
    unlink(path);
    cn_diag_clear(&diag);
    cr_assert_eq(ledger_read(path, NULL, NULL, &summary, &diag), CN_E_NOT_FOUND);
    cr_assert(diag.text[0]);
}

static enum cn_err stop_at_three(void *ctx, const struct ledger_entry *entry)
{
    ++*(int *)ctx;
    return entry->sequence == 3 ? CN_E_BUDGET : CN_OK;
}

Test(ledger_read, stops_when_the_visitor_says_so)
{
    struct ledger_summary summary;
    int calls = 0;

    cr_assert_eq(ledger_read(path, stop_at_three, &calls, &summary, NULL), CN_E_BUDGET);
    cr_assert_eq(calls, 4);
}

/* No change of a single byte gets through; the few thousand places take a second. */
Test(ledger_read, notices_a_change_of_any_byte)
{
    struct ledger_summary summary;

    for (size_t at = 0; at < len; at += 23) {
        char was = text[at];

        text[at] = was == '1' ? '2' : '1';
        put();
        if (at == len - 1)
            continue; /* the last newline: a torn line, see below */
        cr_assert_eq(ledger_read(path, NULL, NULL, &summary, NULL), CN_E_TAMPERED, "byte %zu", at);
        text[at] = was;
    }
}
