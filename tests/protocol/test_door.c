/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "protocol/door.h"

static struct door *door;

static void open_door(uint32_t connections, uint32_t per_second)
{
    struct door_limits limits = {.connections = connections, .per_second = per_second};

    cr_assert_eq(door_new(&door, &limits), CN_OK);
}

static void teardown(void)
{
    door_free(door);
}

TestSuite(door, .fini = teardown);

static bool enter(const char *text, uint64_t now_ms, uint32_t *place)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (void *)&address;
    struct sockaddr_in6 *v6 = (void *)&address;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        address.ss_family = AF_INET;
    } else {
        cr_assert_eq(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
        address.ss_family = AF_INET6;
    }
    return door_enter(door, &address, now_ms, place);
}

Test(door, lets_so_many_connections_of_one_address_in)
{
    uint32_t first, place;

    open_door(2, 0);
    cr_assert(enter("192.0.2.1", 0, &first));
    cr_assert(enter("192.0.2.1", 0, &place));
    cr_assert_not(enter("192.0.2.1", 0, &place));
    cr_assert_eq(place, 0);
    cr_assert(enter("192.0.2.2", 0, &place));
    door_leave(door, first);
    cr_assert(enter("192.0.2.1", 0, &place));
    cr_assert_not(enter("::ffff:192.0.2.1", 0, &place), "the same address in other clothes");
}

Test(door, takes_a_network_of_64_bits_for_one_address)
{
    uint32_t place;

    open_door(1, 0);
    cr_assert(enter("2001:db8::1", 0, &place));
    cr_assert_not(enter("2001:db8::2", 0, &place));
    cr_assert(enter("2001:db8:0:1::1", 0, &place));
}

Test(door, lets_a_burst_in_and_then_so_many_a_second)
{
    uint32_t place;
    int in = 0;

    open_door(0, 5);
    for (int i = 0; i < 20; i++)
        in += enter("192.0.2.1", 1000, &place);
    cr_assert_eq(in, 10);
    for (uint64_t now_ms = 1000; now_ms < 11000; now_ms += 20)
        in += enter("192.0.2.1", now_ms, &place);
    cr_assert_geq(in, 10 + 49);
    cr_assert_leq(in, 10 + 50);
}

Test(door, does_not_count_this_machine_itself)
{
    uint32_t place;

    open_door(1, 1);
    for (int i = 0; i < 5; i++) {
        cr_assert(enter("127.0.0.9", 0, &place));
        cr_assert(enter("::1", 0, &place));
        cr_assert_eq(place, 0);
    }
    door_free(door);
    cr_assert_eq(door_new(&door, &(struct door_limits){1, 0, true}), CN_OK);
    cr_assert(enter("127.0.0.9", 0, &place));
    cr_assert_not(enter("127.0.0.9", 0, &place));
}

Test(door, forgets_addresses_that_went_and_never_refuses_for_want_of_room)
{
    char text[32];
    uint32_t place;

    open_door(4, 4);
    for (uint32_t i = 0; i < 200000; i++) {
        snprintf(text, sizeof text, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        cr_assert(enter(text, i, &place));
        if (i % 4)
            door_leave(door, place);
    }
}
