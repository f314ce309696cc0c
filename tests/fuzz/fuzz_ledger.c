/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a ledger: whatever parses must be written again as the same bytes, and a file of any
 * bytes must be read to an end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "privacy/ledger_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_line(const char *text, size_t len)
{
    static struct ledger_line line;

    if (ledger_line_parse(&line, text, len) == CN_OK)
        CN_ASSERT(line.len == len && memcmp(line.text, text, len) == 0);
}

static void whole_file(const uint8_t *data, size_t size)
{
    struct ledger_summary summary;
    char path[64];
    int fd = memfd_create("ledger", 0);

    CN_ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum cn_err err = ledger_read(path, NULL, NULL, &summary, NULL);
    CN_ASSERT((err == CN_OK) == (summary.fault == LEDGER_NONE));
    CN_ASSERT(summary.bytes + summary.torn_bytes <= size);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = text + size;

    whole_file(data, size);
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t len = (size_t)((newline ? newline : end) - text);

        one_line(text, len);
        text += len + (newline != NULL);
    }
    return 0;
}
