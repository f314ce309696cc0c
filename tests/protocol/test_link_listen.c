/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>

#include "link_world.h"

static struct world w;
static struct end client;

static struct message fetch(uint64_t offset)
{
    return (struct message){.type = MESSAGE_FETCH, .as.fetch.offset = offset};
}

Test(link_listen, says_that_a_port_is_in_use_and_what_to_do)
{
    struct link_listener *second;
    struct link_accept accept = {world_accepted, &w, 1, {0}};
    struct cn_diag diag = {0};

    world_start(&w);
    cr_assert_eq(link_listen(&second, &w.loop, w.server_tls, "127.0.0.1",
                             link_listener_port(w.listener), &accept, NULL, &diag),
                 CN_E_BUSY);
    cr_assert_null(second);
    cr_assert_eq(strncmp(diag.place, "127.0.0.1:", 10), 0);
    cr_assert(strstr(diag.text, "listens at this address already") != NULL);
    cr_assert(strstr(diag.hint, "choose another port") != NULL);
    world_stop(&w, NULL);
}

Test(link_listen, says_that_an_address_is_not_of_this_machine)
{
    struct link_listener *second;
    struct link_accept accept = {world_accepted, &w, 1, {0}};
    struct cn_diag diag = {0};

    world_start(&w);
    cr_assert_eq(link_listen(&second, &w.loop, w.server_tls, "192.0.2.1", 0, &accept, NULL, &diag),
                 CN_E_CONFIG);
    cr_assert(strstr(diag.text, "192.0.2.1") != NULL);
    cn_diag_clear(&diag);
    cr_assert_eq(link_listen(&second, &w.loop, w.server_tls, "no-such-host.invalid", 0, &accept,
                             NULL, &diag),
                 CN_E_CONFIG);
    cr_assert(strstr(diag.text, "no-such-host.invalid") != NULL);
    world_stop(&w, NULL);
}

Test(link_listen, listens_at_ipv6_where_there_is_one)
{
    struct link_accept accept = {world_accepted, &w, 10, {0}};
    enum cn_err err;

    world_start(&w);
    link_listener_close(w.listener);
    w.listener = NULL;
    err = link_listen(&w.listener, &w.loop, w.server_tls, "::1", 0, &accept, NULL, NULL);
    if (err == CN_OK) { /* CN_E_CONFIG: this machine has no ::1 */
        cr_assert_eq(link_connect(&client.link, &w.loop, w.client_tls, "::1",
                                  link_listener_port(w.listener), &end_events, &client, NULL),
                     CN_OK);
        run_until(&w, &client.opened);
        cr_assert_eq(strncmp(link_peer(client.link), "[::1]:", 6), 0);
    } else {
        cr_assert(err == CN_E_CONFIG || err == CN_E_IO);
    }
    world_stop(&w, &client);
}

Test(link_listen, shuts_one_connection_more_than_allowed)
{
    static struct raw raw;
    struct end second = {0};

    w.links_max = 1;
    world_start(&w);
    world_pair(&w, &client);
    raw_open(&w, &raw);
    for (int i = 0; i < 1000 && !raw.eof; i++) {
        run_for(&w, 1);
        raw_receive(&raw);
    }
    cr_assert(raw.eof);
    raw_close(&raw);
    cr_assert_eq(w.accepted, 1);
    world_connect(&w, &second);
    run_until(&w, &second.closed);
    cr_assert_eq(second.opened, 0);
    link_bye(client.link, BYE_DONE, "making room");
    run_until(&w, &client.closed);
    run_until(&w, &w.ends[0].closed);
    memset(&client, 0, sizeof client);
    world_pair(&w, &client);
    world_stop(&w, &client);
}

Test(link_listen, shuts_a_connection_its_owner_turns_away)
{
    world_start(&w);
    w.turn_away = true;
    world_connect(&w, &client);
    run_until(&w, &client.closed);
    cr_assert_eq(client.opened, 0);
    cr_assert_eq(client.why, CN_E_CLOSED);
    world_stop(&w, &client);
}

Test(link_listen, outlives_its_listener)
{
    struct message message = fetch(5);

    world_start(&w);
    world_pair(&w, &client);
    link_listener_close(w.listener);
    w.listener = NULL;
    run_for(&w, 10);
    cr_assert_eq(link_send(client.link, &message), CN_OK);
    run_until(&w, &w.ends[0].messages);
    world_stop(&w, &client);
}

/* Lets peers connect while no descriptor is left to accept them with, then lifts the limit. */
static void run_short_of_descriptors(void)
{
    static struct raw raw[3];
    struct rlimit was, none;
    int lowest;

    for (int i = 0; i < 3; i++)
        raw_open(&w, &raw[i]); /* connected by the kernel, not yet accepted */
    lowest = dup(0);
    close(lowest);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = (rlim_t)lowest;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    run_for(&w, 300);
    cr_assert_eq(w.accepted, 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
    run_for(&w, 500);
    for (int i = 0; i < 3; i++)
        raw_close(&raw[i]);
}

Test(link_listen, accepts_again_after_a_shortage_of_descriptors)
{
    world_start(&w);
    run_short_of_descriptors();
    w.accepted = 0;
    memset(w.ends, 0, sizeof w.ends);
    world_pair(&w, &client);
    world_stop(&w, &client);
}

Test(link_listen, waits_and_listens_again_when_accepting_fails)
{
    struct rusage before, after;
    uint16_t port;

    world_start(&w);
    port = link_listener_port(w.listener);
    close(w.loop.emfile_fd); /* takes away what libuv helps itself with */
    w.loop.emfile_fd = -1;
    getrusage(RUSAGE_SELF, &before);
    run_short_of_descriptors();
    getrusage(RUSAGE_SELF, &after);
    cr_assert_lt(after.ru_utime.tv_sec - before.ru_utime.tv_sec, 2, "does not spin");
    cr_assert_eq(link_listener_port(w.listener), port);
    w.accepted = 0;
    memset(w.ends, 0, sizeof w.ends);
    world_pair(&w, &client);
    world_stop(&w, &client);
}
