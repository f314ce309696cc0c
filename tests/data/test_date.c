/* SPDX-License-Identifier: Apache-2.0 */
#include "data/date.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

TestSuite(date);

Test(date, counts_days_as_the_c_library_does)
{
    for (int64_t days = date_to_days((struct date){1, 1, 1});
         days <= date_to_days((struct date){9999, 12, 31}); days += 97) {
        struct date date = date_from_days(days);
        time_t seconds = (time_t)(days * 86400);
        struct tm broken;

        cr_assert_eq(date_to_days(date), days);
        cr_assert(gmtime_r(&seconds, &broken) && broken.tm_year + 1900 == date.year &&
                  broken.tm_mon + 1 == date.month && broken.tm_mday == date.day);
    }
    cr_assert_eq(date_to_days((struct date){2000, 2, 29}), 11016);
}

Test(date, reads_four_forms_and_refuses_days_that_do_not_exist)
{
    static const char *const good[] = {"2024-02-29", "2024/02/29",       "29.02.2024",
                                       "29/02/2024", "2024-02-29 13:30", "2024-02-29T13:30:00Z"};
    static const char *const bad[] = {"",           "2023-02-29", "2024-13-01",  "2024-2-9",
                                      "0000-01-01", "29-02-2024", "20240229",    "2024-02-29x",
                                      "31.04.2024", "2024-02/29", "29.02.2024 1"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct date date = {0};

        cr_assert(date_parse(&date, good[i], strlen(good[i])), "%s", good[i]);
        cr_assert(date.year == 2024 && date.month == 2 && date.day == 29);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert(!date_parse(NULL, bad[i], strlen(bad[i])), "%s", bad[i]);
}
