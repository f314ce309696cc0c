/* SPDX-License-Identifier: Apache-2.0 */
/* Dates as tables write them, and days between them. */
#ifndef CAIRN_DATA_DATE_H
#define CAIRN_DATA_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATE_TEXT_MAX 32

struct date {
    int year; /* 1 to 9999, Gregorian */
    int month;
    int day;
};

/* Reads YYYY-MM-DD (a time may follow behind a blank or a T), YYYY/MM/DD, DD.MM.YYYY or DD/MM/YYYY
 * (days first); a day that does not exist is no date. date may be NULL. */
bool date_parse(struct date *date, const char *text, size_t len);

/* Days since 1970-01-01, and back. Source: Richards, Explanatory Supplement 2013, 15.11. */
int64_t date_to_days(struct date date);
struct date date_from_days(int64_t days);

#endif
