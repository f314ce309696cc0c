/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar arithmetic in integers. */
#include "data/date.h"

#include <string.h>

#define DAYS_TO_1970 INT64_C(719468) /* from 0000-03-01 */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool exists(const struct date *date)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int most;

    if (date->year < 1 || date->year > 9999 || date->month < 1 || date->month > 12)
        return false;
    most = lengths[date->month - 1] + (date->month == 2 && is_leap(date->year));
    return date->day >= 1 && date->day <= most;
}

/* Reads exactly count digits. */
static bool digits(int *out, const char **at, const char *end, int count)
{
    *out = 0;
    for (; count > 0; count--, (*at)++) {
        if (*at == end || **at < '0' || **at > '9')
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool separator(const char **at, const char *end, char expected)
{
    return *at < end && *(*at)++ == expected;
}

static bool parse_year_first(struct date *date, const char *at, const char *end, char between)
{
    return digits(&date->year, &at, end, 4) && separator(&at, end, between) &&
           digits(&date->month, &at, end, 2) && separator(&at, end, between) &&
           digits(&date->day, &at, end, 2) && (at == end || *at == ' ' || *at == 'T');
}

static bool parse_day_first(struct date *date, const char *at, const char *end, char between)
{
    return digits(&date->day, &at, end, 2) && separator(&at, end, between) &&
           digits(&date->month, &at, end, 2) && separator(&at, end, between) &&
           digits(&date->year, &at, end, 4) && at == end;
}

bool date_parse(struct date *date, const char *text, size_t len)
{
    const char *end = text + len;
    struct date found;

    if (!parse_year_first(&found, text, end, '-') && !parse_year_first(&found, text, end, '/') &&
        !parse_day_first(&found, text, end, '.') && !parse_day_first(&found, text, end, '/'))
        return false;
    if (!exists(&found))
        return false;
    if (date)
        *date = found;
    return true;
}

/* Years begin in March here, so that the leap day is their last. */
int64_t date_to_days(struct date date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t month = (date.month + 9) % 12;
    int64_t day = (153 * month + 2) / 5 + date.day - 1;

    return year * 365 + year / 4 - year / 100 + year / 400 + day - DAYS_TO_1970;
}

struct date date_from_days(int64_t days)
{
    int64_t at = days + DAYS_TO_1970;
    int64_t era = (at >= 0 ? at : at - 146096) / 146097;
    int64_t in_era = at - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;
    struct date date = {.day = (int)(in_year - (153 * month + 2) / 5 + 1),
                        .month = (int)(month < 10 ? month + 3 : month - 9)};

    date.year = (int)(year + era * 400 + (date.month <= 2));
    return date;
}
