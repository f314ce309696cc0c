/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of its own for each test, keys that never change, and ledgers to damage. */
#ifndef CAIRN_TESTS_PRIVACY_LEDGER_FIXTURE_H
#define CAIRN_TESTS_PRIVACY_LEDGER_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "crypto/random.h"
#include "privacy/ledger.h"

#define FIXTURE_TIME 1795000000
#define FIXTURE_FILE_MAX ((size_t)8 << 20)

static char folder[64];
static char path[128];
static struct sign_key *key;
static const struct ledger_owner owner = {"Clinic \"North\" \\ 1", "device", FIXTURE_TIME};

static inline void fixture_start(void)
{
    static const uint8_t seed[SIGN_SEED_BYTES] = {1, 2, 3};
    struct cn_random random;

    cr_assert_eq(random_system(&random), CN_OK);
    snprintf(folder, sizeof folder, "/tmp/cairn-ledger-XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/ledger.jsonl", folder);
    cr_assert_eq(sign_key_from_seed(&key, seed), CN_OK);
}

static inline void fixture_stop(void)
{
    static const char *const names[] = {"ledger.jsonl", "ledger.jsonl.lock", "ledger.jsonl.torn"};
    char name[160];

    for (size_t i = 0; i < CN_COUNT(names); i++) {
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        unlink(name);
    }
    rmdir(folder);
    sign_key_free(key);
}

static inline struct ledger *fixture_open(void)
{
    struct ledger *ledger;
    struct cn_diag diag;
    char words[CN_DIAG_LINE_MAX];

    cn_diag_clear(&diag);
    cr_assert_eq(ledger_open(&ledger, path, key, &owner, &diag), CN_OK, "%s",
                 cn_diag_line(&diag, words));
    return ledger;
}

/* The entry of a device that spends on the n-th round. */
static inline struct ledger_entry fixture_spent(uint32_t n)
{
    struct ledger_entry entry = {.time_s = FIXTURE_TIME + (int64_t)n * 60,
                                 .kind = "spent",
                                 .task = "fashion",
                                 .round = n,
                                 .attempt = 1,
                                 .has_event = true,
                                 .event = {.kind = ACCOUNTANT_DISCRETE_GAUSSIAN,
                                           .noise_multiplier = 0.95,
                                           .sampling_rate = 0.034,
                                           .steps = 29},
                                 .delta = 1e-5,
                                 .unit = "example"};

    memset(entry.task_id, 0xab, sizeof entry.task_id);
    memset(entry.binding, (int)n + 1, sizeof entry.binding);
    memset(entry.paid_for, (int)n + 2, sizeof entry.paid_for);
    return entry;
}

/* A ledger of count lines: the first and count - 1 spendings. */
static inline void fixture_write(uint32_t count)
{
    struct ledger *ledger = fixture_open();

    for (uint32_t n = 1; n < count; n++) {
        struct ledger_entry entry = fixture_spent(n);

        cr_assert_eq(ledger_append(ledger, &entry), CN_OK);
        cr_assert_eq(entry.sequence, n);
    }
    ledger_close(ledger);
}

static inline char *fixture_text(size_t *len)
{
    struct cn_buf buf;

    cr_assert_eq(cn_file_read(&buf, path, FIXTURE_FILE_MAX, NULL), CN_OK);
    *len = buf.len;
    return (char *)buf.data;
}

static inline void fixture_put(const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    cr_assert(file);
    cr_assert_eq(fwrite(text, 1, len, file), len);
    cr_assert_eq(fclose(file), 0);
}

/* The place of line n, from 0. */
static inline char *fixture_line(char *text, size_t n)
{
    for (; n; n--)
        text = strchr(text, '\n') + 1;
    return text;
}

static inline size_t fixture_line_len(const char *line)
{
    return (size_t)(strchr(line, '\n') + 1 - line);
}

#endif
