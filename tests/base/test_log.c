/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <time.h>

#include "tests/base/base_fixture.h"

static FILE *file;

/* 2026-11-23T19:35:00Z, in UTC for the human format too */
static struct cn_clock_manual manual = {.wall_s = 1795462500};

static void open_log(enum cn_log_level level, enum cn_log_format format)
{
    struct cn_log_options options = {.level = level, .format = format};

    setenv("TZ", "UTC", 1);
    tzset();
    file = tmpfile();
    cr_assert_not_null(file);
    options.fd = fileno(file);
    options.clock = cn_clock_manual(&manual);
    cn_log_open(&options);
}

static const char *written(void)
{
    const char *text = fixture_read(file);

    fclose(file);
    return text;
}

Test(log, writes_json_lines)
{
    open_log(CN_LOG_INFO, CN_LOG_JSON);
    cn_log(CN_LOG_INFO, "device enrolled", cn_log_text("device", "phone"), cn_log_uint("round", 4));
    cn_log(CN_LOG_WARN, "odd", cn_log_int("n", -3), cn_log_real("x", 0.25), cn_log_real("y", NAN),
           cn_log_bool("ok", true), cn_log_text("none", NULL), cn_log_err(CN_E_COHORT));
    cr_assert_str_eq(written(),
                     "{\"time\":\"2026-11-23T19:35:00Z\",\"level\":\"info\",\"message\":\"device "
                     "enrolled\",\"device\":\"phone\",\"round\":4}\n"
                     "{\"time\":\"2026-11-23T19:35:00Z\",\"level\":\"warn\",\"message\":\"odd\","
                     "\"n\":-3,\"x\":0.25,\"y\":null,\"ok\":true,\"none\":null,"
                     "\"error\":\"too few devices\"}\n");
}

Test(log, writes_for_people)
{
    open_log(CN_LOG_DEBUG, CN_LOG_HUMAN);
    cn_log(CN_LOG_DEBUG, "started");
    cn_log(CN_LOG_INFO, "device enrolled", cn_log_text("device", "phone"), cn_log_uint("round", 4));
    cn_log(CN_LOG_ERROR, "failed", cn_log_text("why", "no space"), cn_log_text("who", NULL),
           cn_log_text("empty", ""), cn_log_real("x", 0.5));
    cr_assert_str_eq(written(), "19:35:00 debug started\n"
                                "19:35:00 info  device enrolled  device=phone round=4\n"
                                "19:35:00 error failed  why=\"no space\" who=- empty=\"\" x=0.5\n");
}

Test(log, colours_only_when_asked)
{
    open_log(CN_LOG_INFO, CN_LOG_COLOUR);
    cn_log(CN_LOG_WARN, "slow");
    cr_assert_str_eq(written(), "\r\x1b[K19:35:00 \x1b[33mwarn \x1b[0m slow\n");
    open_log(CN_LOG_INFO, CN_LOG_AUTO);
    cn_log(CN_LOG_WARN, "slow");
    cr_assert_eq(written()[0], '{', "a file is no terminal");
}

Test(log, keeps_back_what_is_below_the_level)
{
    open_log(CN_LOG_WARN, CN_LOG_JSON);
    cn_log(CN_LOG_INFO, "no");
    cr_assert_not(cn_log_enabled(CN_LOG_INFO));
    cr_assert(cn_log_enabled(CN_LOG_WARN));
    cr_assert_str_eq(written(), "");
}

Test(log, a_peer_can_not_forge_lines_or_drive_the_terminal)
{
    const char *evil = "x\n19:00:00 info  forged\x1b[2J \xff\" }";

    open_log(CN_LOG_INFO, CN_LOG_JSON);
    cn_log(CN_LOG_INFO, "m", cn_log_text("name", evil));
    cr_assert_str_eq(written(), "{\"time\":\"2026-11-23T19:35:00Z\",\"level\":\"info\",\"message\":"
                                "\"m\",\"name\":\"x\\n19:00:00 info  forged\\u001b[2J "
                                "\xef\xbf\xbd\\\" }\"}\n");
    open_log(CN_LOG_INFO, CN_LOG_HUMAN);
    cn_log(CN_LOG_INFO, "m", cn_log_text("name", evil));
    cr_assert_str_eq(written(), "19:35:00 info  m  name=\"x\\x0a19:00:00 info  "
                                "forged\\x1b[2J \\xff\\x22 }\"\n");
}

Test(log, cuts_long_lines_and_keeps_them_valid)
{
    char text[9000];
    const char *line;

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    open_log(CN_LOG_INFO, CN_LOG_JSON);
    cn_log(CN_LOG_INFO, "long", cn_log_uint("n", 1), cn_log_text("text", text));
    line = written();
    cr_assert_str_eq(line, "{\"time\":\"2026-11-23T19:35:00Z\",\"level\":\"info\",\"message\":"
                           "\"long\",\"n\":1,\"cut\":true}\n");
    open_log(CN_LOG_INFO, CN_LOG_HUMAN);
    cn_log(CN_LOG_INFO, "long", cn_log_uint("n", 1), cn_log_text("text", text));
    cr_assert_str_eq(written(), "19:35:00 info  long  n=1 ...\n");
}

Test(log, leaves_errno_alone)
{
    struct cn_log_options options = {CN_LOG_INFO, CN_LOG_JSON, -1, cn_clock_system()};

    cn_log_open(&options);
    errno = ENOENT;
    cn_log(CN_LOG_INFO, "into nothing");
    cr_assert_eq(errno, ENOENT);
}

Test(log, levels_have_names)
{
    enum cn_log_level level = CN_LOG_DEBUG;

    for (int i = 0; i < CN_LOG_LEVEL_COUNT; i++) {
        cr_assert_eq(cn_log_level_parse(&level, cn_log_level_name((enum cn_log_level)i)), CN_OK);
        cr_assert_eq((int)level, i);
    }
    cr_assert_eq(cn_log_level_parse(&level, "loud"), CN_E_CONFIG);
    cr_assert_eq(level, CN_LOG_ERROR, "unchanged");
}

Test(log, a_limit_passes_a_burst_and_counts_the_rest)
{
    struct cn_log_limit limit = {0};
    uint64_t dropped;

    for (int i = 0; i < 3; i++) {
        cr_assert(cn_log_limit_pass(&limit, 1000, 3, 60000, &dropped));
        cr_assert_eq(dropped, 0);
    }
    for (int i = 0; i < 50; i++)
        cr_assert_not(cn_log_limit_pass(&limit, 60999, 3, 60000, NULL));
    cr_assert(cn_log_limit_pass(&limit, 61000, 3, 60000, &dropped));
    cr_assert_eq(dropped, 50);
    cr_assert(cn_log_limit_pass(&limit, 61000, 3, 60000, &dropped));
    cr_assert_eq(dropped, 0);
}
