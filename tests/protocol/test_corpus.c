/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/corpus/message/ holds one of each message in today's layout. With CAIRN_CORPUS=write
 * in the environment the test writes them anew; see tests/fuzz/README.md. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "sample.h"

static void path_of(char path[CN_PATH_MAX], enum message_type type, const char *suffix)
{
    char name[32];
    size_t len = 0;

    for (const char *c = message_name(type); *c && len + 1 < sizeof name; c++)
        name[len++] = (char)tolower((unsigned char)*c);
    name[len] = 0;
    snprintf(path, CN_PATH_MAX, "%s/tests/fuzz/corpus/message/%s%s", CAIRN_SOURCE_DIR, name,
             suffix);
}

static void write_sample(const char *path, const struct cn_buf *bytes)
{
    FILE *file = fopen(path, "wb");

    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fwrite(bytes->data, 1, bytes->len, file), bytes->len);
    cr_assert_eq(fclose(file), 0);
}

static void compare(const struct message *message, const char *suffix)
{
    const char *wish = getenv("CAIRN_CORPUS");
    struct cn_buf bytes, there = {0};
    char path[CN_PATH_MAX];

    cn_buf_init(&bytes, MESSAGE_BYTES_MAX);
    cr_assert_eq(message_encode(&bytes, message), CN_OK);
    path_of(path, message->type, suffix);
    if (wish && strcmp(wish, "write") == 0)
        write_sample(path, &bytes);
    cr_assert_eq(cn_file_read(&there, path, MESSAGE_BYTES_MAX, NULL), CN_OK, "%s", path);
    cr_assert(there.len == bytes.len && memcmp(there.data, bytes.data, bytes.len) == 0,
              "%s is not what %s looks like today: write it anew", path,
              message_name(message->type));
    cn_buf_clear(&there);
    cn_buf_clear(&bytes);
}

Test(corpus, has_one_of_each_message_as_it_looks_today)
{
    for (int type = MESSAGE_HELLO; type < MESSAGE_TYPE_COUNT; type++) {
        struct message message;

        sample_message(&message, (enum message_type)type);
        compare(&message, "");
    }
}

Test(corpus, has_a_roster_of_the_complete_graph)
{
    struct message message;

    sample_message(&message, MESSAGE_ROSTER);
    message.as.roster.entries_len = 0;
    compare(&message, "_complete");
}
