/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/cohort.h"
#include "federation.h"

static struct fed fed;

static void setup(void)
{
    fed_init(&fed, 6);
}

static void teardown(void)
{
    fed_clear(&fed);
}

TestSuite(cohort, .init = setup, .fini = teardown);

Test(cohort, knows_who_is_connected)
{
    fed_join(&fed, 0);
    fed_join(&fed, 1);
    cr_assert(cohort_has(fed.cohort, fed.devices[0].id));
    cr_assert_eq(cohort_count(fed.cohort), 2);
    fed_leave(&fed, 0);
    cr_assert_not(cohort_has(fed.cohort, fed.devices[0].id));
    cr_assert(cohort_has(fed.cohort, fed.devices[1].id));
    cohort_leave(fed.cohort, fed.devices[0].id);
    cr_assert_eq(cohort_count(fed.cohort), 1);
    cr_assert_eq((int)cohort_join(fed.cohort, &fed.devices[1].certificate), (int)CN_E_EXISTS);
}

Test(cohort, holds_no_more_than_its_maximum)
{
    struct cohort *small = NULL;
    FED_OK(cohort_new(&small, 2));
    FED_OK(cohort_join(small, &fed.devices[0].certificate));
    FED_OK(cohort_join(small, &fed.devices[1].certificate));
    cr_assert_eq((int)cohort_join(small, &fed.devices[2].certificate), (int)CN_E_TOO_LARGE);
    cohort_leave(small, fed.devices[0].id);
    FED_OK(cohort_join(small, &fed.devices[2].certificate));
    cohort_free(small);
}

Test(cohort, picks_everybody_once)
{
    bool picked[6] = {false};
    for (int i = 0; i < 6; i++)
        fed_join(&fed, i);
    for (int i = 0; i < 6; i++) {
        const struct certificate *certificate = cohort_pick(fed.cohort, &fed.random);
        uint8_t id[DEVICE_ID_BYTES];
        cr_assert_not_null(certificate);
        certificate_device_id(id, certificate);
        cr_assert_not(picked[fed_index(&fed, id)]);
        picked[fed_index(&fed, id)] = true;
    }
    cr_assert_null(cohort_pick(fed.cohort, &fed.random));
    cr_assert_eq(cohort_available(fed.cohort), 0);
}

/* 6000 draws of one in six: each count within 5 standard deviations (29) of 1000; a false alarm
 * once in 300,000 seeds, and the seed is fixed. */
Test(cohort, picks_uniformly)
{
    int counts[6] = {0};
    for (int i = 0; i < 6; i++)
        fed_join(&fed, i);
    for (int i = 0; i < 6000; i++) {
        uint8_t id[DEVICE_ID_BYTES];
        certificate_device_id(id, cohort_pick(fed.cohort, &fed.random));
        counts[fed_index(&fed, id)]++;
        cohort_mark(fed.cohort, id, COHORT_FREE);
    }
    for (int i = 0; i < 6; i++)
        cr_assert(counts[i] > 850 && counts[i] < 1150, "%d", counts[i]);
}

Test(cohort, asks_the_paused_again_in_the_next_attempt_and_the_barred_in_the_next_task)
{
    for (int i = 0; i < 4; i++)
        fed_join(&fed, i);
    cohort_mark(fed.cohort, fed.devices[0].id, COHORT_PAUSED);
    cohort_mark(fed.cohort, fed.devices[1].id, COHORT_BARRED);
    cohort_mark(fed.cohort, fed.devices[2].id, COHORT_SEATED);
    cr_assert_eq(cohort_available(fed.cohort), 1);
    cohort_next_attempt(fed.cohort);
    cr_assert_eq(cohort_available(fed.cohort), 3);
    cohort_next_task(fed.cohort);
    cr_assert_eq(cohort_available(fed.cohort), 4);
}

Test(cohort, forgets_a_mark_when_the_device_connects_anew)
{
    fed_join(&fed, 0);
    cohort_mark(fed.cohort, fed.devices[0].id, COHORT_BARRED);
    fed_leave(&fed, 0);
    fed_join(&fed, 0);
    cr_assert_eq(cohort_available(fed.cohort), 1);
}

Test(cohort, ignores_marks_for_strangers)
{
    cohort_mark(fed.cohort, fed.devices[0].id, COHORT_SEATED);
    cr_assert_eq(cohort_available(fed.cohort), 0);
    cr_assert_eq(cohort_count(fed.cohort), 0);
}
