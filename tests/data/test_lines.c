/* SPDX-License-Identifier: Apache-2.0 */
#include "data/lines.h"
#include "scratch.h"

TestSuite(lines, .init = scratch_make, .fini = scratch_remove);

static struct lines lines;

static void expect(const char *text, bool ended, unsigned number)
{
    bool got;

    cr_assert_eq(lines_next(&lines, &got, NULL), CN_OK);
    cr_assert(got && lines.ended == ended && lines.number == number);
    cr_assert(lines.len == strlen(text) && strcmp(lines.text, text) == 0, "'%s'", lines.text);
}

static void expect_end(void)
{
    bool got;

    cr_assert_eq(lines_next(&lines, &got, NULL), CN_OK);
    cr_assert(!got);
    lines_close(&lines);
}

Test(lines, gives_lines_of_all_ends)
{
    cr_assert_eq(lines_open(&lines, scratch_text("a", "\xef\xbb\xbfone\n\r\n\ntwo\r\nlast"), NULL),
                 CN_OK);
    expect("one", true, 1);
    expect("", true, 2);
    expect("", true, 3);
    expect("two", true, 4);
    expect("last", false, 5);
    expect_end();
    cr_assert_eq(lines_open(&lines, scratch_text("b", ""), NULL), CN_OK);
    expect_end();
}

Test(lines, reads_lines_that_span_chunks_and_gzip)
{
    size_t len = 200000;
    char *text = malloc(len + 1);

    memset(text, 'x', len);
    text[70000] = text[150000] = '\n';
    cr_assert_eq(lines_open(&lines, scratch_gzip("c.gz", text, len), NULL), CN_OK);
    text[len] = text[150000] = text[70000] = '\0';
    expect(text, true, 1);
    expect(text + 70001, true, 2);
    expect(text + 150001, false, 3);
    expect_end();
    free(text);
}

Test(lines, refuses_zero_bytes_and_endless_lines)
{
    struct cn_diag diag = {0};
    size_t len = LINES_BYTES_MAX + 2;
    char *text = calloc(1, len);
    bool got;

    cr_assert_eq(lines_open(&lines, scratch_file("z", "a\n\xc3\xa4\0b", 6), NULL), CN_OK);
    expect("a", true, 1);
    cr_assert_eq(lines_next(&lines, &got, &diag), CN_E_DATA);
    cr_assert(diag.line == 2 && diag.column == 2);
    lines_close(&lines);
    memset(text, 'y', len);
    cr_assert_eq(lines_open(&lines, scratch_file("long", text, len), NULL), CN_OK);
    cr_assert_eq(lines_next(&lines, &got, NULL), CN_E_TOO_LARGE);
    lines_close(&lines);
    free(text);
    cr_assert_eq(lines_open(&lines, scratch_path("none"), NULL), CN_E_NOT_FOUND);
    lines_close(&lines);
}
