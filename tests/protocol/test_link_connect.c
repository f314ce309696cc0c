/* SPDX-License-Identifier: Apache-2.0 */
#include "link_world.h"

static struct world w;
static struct end client;

Test(link_connect, says_what_a_refused_connection_means)
{
    world_start(&w);
    uint16_t port = link_listener_port(w.listener);
    link_listener_close(w.listener);
    w.listener = NULL;
    run_for(&w, 5);
    cr_assert_eq(link_connect(&client.link, &w.loop, w.client_tls, "127.0.0.1", port, &end_events,
                              &client, NULL),
                 CN_OK);
    run_until(&w, &client.closed);
    cr_assert_eq(client.why, CN_E_CLOSED);
    cr_assert(strstr(client.text, "nothing listens at 127.0.0.1:") != NULL, "%s", client.text);
    cr_assert(strstr(client.text, "is the aggregator running") != NULL);
    world_stop(&w, &client);
}

Test(link_connect, finds_a_server_by_name_whichever_address_it_answers_at)
{
    world_start(&w); /* at 127.0.0.1 only; localhost may be ::1 first */
    cr_assert_eq(link_connect(&client.link, &w.loop, w.client_tls, "localhost",
                              link_listener_port(w.listener), &end_events, &client, NULL),
                 CN_OK);
    run_until(&w, &client.opened);
    world_stop(&w, &client);
}

Test(link_connect, says_when_a_name_is_not_known)
{
    struct link_limits limits = {.handshake_ms = 1500};

    world_start(&w);
    cr_assert_eq(link_connect(&client.link, &w.loop, w.client_tls, "no-such-host.invalid", 1,
                              &end_events, &client, &limits),
                 CN_OK);
    run_until(&w, &client.closed);
    cr_assert(client.why == CN_E_CLOSED || client.why == CN_E_DEADLINE);
    cr_assert(strstr(client.text, "the name no-such-host.invalid") != NULL, "%s", client.text);
    world_stop(&w, &client);
}

Test(link_connect, can_be_aborted_during_the_name_look_up)
{
    world_start(&w);
    cr_assert_eq(link_connect(&client.link, &w.loop, w.client_tls, "localhost", 1, &end_events,
                              &client, NULL),
                 CN_OK);
    link_abort(client.link, CN_E_CLOSED, "over");
    run_until(&w, &client.closed);
    cr_assert_str_eq(client.text, "over");
    world_stop(&w, &client);
}

Test(link_connect, refuses_hosts_and_ports_that_can_not_be)
{
    char host[400];

    world_start(&w);
    memset(host, 'a', sizeof host);
    host[sizeof host - 1] = '\0';
    cr_assert_eq(
        link_connect(&client.link, &w.loop, w.client_tls, host, 1, &end_events, &client, NULL),
        CN_E_CONFIG);
    cr_assert_eq(
        link_connect(&client.link, &w.loop, w.client_tls, "", 1, &end_events, &client, NULL),
        CN_E_CONFIG);
    cr_assert_eq(link_connect(&client.link, &w.loop, w.client_tls, "127.0.0.1", 0, &end_events,
                              &client, NULL),
                 CN_E_CONFIG);
    cr_assert_null(client.link);
    world_stop(&w, NULL);
    cr_assert_eq(client.closed, 0);
}

Test(link_connect, gives_up_on_an_address_that_does_not_answer)
{
    struct link_limits limits = {.handshake_ms = 200};

    /* A full backlog: the kernel drops further SYNs, nobody accepts. */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int mute = socket(AF_INET, SOCK_STREAM, 0), filler[4];

    world_start(&w);
    cr_assert_eq(bind(mute, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(mute, 0), 0);
    cr_assert_eq(getsockname(mute, (struct sockaddr *)&address, &len), 0);
    for (int i = 0; i < 4; i++) {
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        cr_assert(connect(filler[i], (struct sockaddr *)&address, sizeof address) == 0 ||
                  errno == EINPROGRESS);
    }
    cr_assert_eq(link_connect(&client.link, &w.loop, w.client_tls, "127.0.0.1",
                              ntohs(address.sin_port), &end_events, &client, &limits),
                 CN_OK);
    run_until(&w, &client.closed);
    cr_assert_eq(client.why, CN_E_DEADLINE, "%s", client.text);
    for (int i = 0; i < 4; i++)
        close(filler[i]);
    close(mute);
    world_stop(&w, &client);
}
