/* SPDX-License-Identifier: Apache-2.0 */
#include "link_world.h"

static struct world w;
static struct end client;

static struct message ping(uint64_t nonce)
{
    return (struct message){.type = MESSAGE_PING, .as.ping.nonce = nonce};
}

static struct message fetch(uint64_t offset)
{
    return (struct message){.type = MESSAGE_FETCH, .as.fetch.offset = offset};
}

/* --- two sides that behave --- */

Test(link, opens_and_carries_messages_both_ways)
{
    struct message message = fetch(77);
    uint8_t mine[LINK_EXPORTER_BYTES], yours[LINK_EXPORTER_BYTES];
    uint64_t sent, received;

    world_start(&w);
    world_pair(&w, &client);
    cr_assert_eq(link_exporter(client.link, mine), CN_OK);
    cr_assert_eq(link_exporter(w.ends[0].link, yours), CN_OK);
    cr_assert_eq(memcmp(mine, yours, sizeof mine), 0);
    cr_assert_eq(link_send(client.link, &message), CN_OK);
    run_until(&w, &w.ends[0].messages);
    cr_assert_eq(w.ends[0].last.type, MESSAGE_FETCH);
    cr_assert_eq(w.ends[0].last.as.fetch.offset, 77);
    cr_assert_eq(link_send(w.ends[0].link, &message), CN_OK);
    run_until(&w, &client.messages);
    link_traffic(client.link, &sent, &received);
    cr_assert(sent > 50 && received > 500);
    cr_assert_eq(strncmp(link_peer(client.link), "127.0.0.1:", 10), 0);
    cr_assert_eq(strncmp(link_peer(w.ends[0].link), "127.0.0.1:", 10), 0);
    world_stop(&w, &client);
    cr_assert_eq(client.closed, 1);
    cr_assert_eq(w.ends[0].closed, 1);
}

Test(link, gives_each_connection_an_exporter_of_its_own)
{
    struct end second = {0};
    uint8_t one[LINK_EXPORTER_BYTES], two[LINK_EXPORTER_BYTES];

    world_start(&w);
    world_pair(&w, &client);
    world_pair(&w, &second);
    cr_assert_eq(link_exporter(client.link, one), CN_OK);
    cr_assert_eq(link_exporter(second.link, two), CN_OK);
    cr_assert_neq(memcmp(one, two, sizeof one), 0);
    link_abort(second.link, CN_E_CLOSED, "over");
    run_until(&w, &second.closed);
    world_stop(&w, &client);
}

Test(link, delivers_the_words_of_a_bye)
{
    world_start(&w);
    world_pair(&w, &client);
    link_bye(client.link, BYE_STOPPING, "the battery is low");
    cr_assert_eq(client.closed, 0, "never inside the call");
    run_until(&w, &w.ends[0].closed);
    run_until(&w, &client.closed);
    cr_assert_eq(w.ends[0].bye, BYE_STOPPING);
    cr_assert_eq(w.ends[0].why, CN_E_CLOSED);
    cr_assert_str_eq(w.ends[0].text, "the battery is low");
    cr_assert_eq(client.bye, BYE_CODE_COUNT);
    cr_assert_str_eq(client.text, "the battery is low");
    world_stop(&w, &client);
}

static void bye_at_once(struct end *end)
{
    link_bye(end->link, BYE_UNKNOWN, "not enrolled here");
    link_bye(end->link, BYE_DONE, "a second one changes nothing");
}

static void bye_at_message(struct end *end, const struct message *message)
{
    struct message answer = fetch(1);

    (void)message;
    cr_assert_eq(link_send(end->link, &answer), CN_OK);
    bye_at_once(end);
    cr_assert_eq(link_send(end->link, &answer), CN_E_CLOSED);
}

static void set_bye_at_message(struct end *end)
{
    end->on_message = bye_at_message;
}

Test(link, says_bye_from_inside_its_callbacks)
{
    struct message message = fetch(0);

    world_start(&w);
    w.on_accepted = set_bye_at_message;
    world_pair(&w, &client);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(link_send(client.link, &message), CN_OK);
    run_until(&w, &client.closed);
    run_until(&w, &w.ends[0].closed);
    cr_assert_eq(w.ends[0].messages, 1, "nothing is reported after link_bye");
    cr_assert_eq(client.messages, 1, "what was sent before the bye arrives");
    cr_assert_eq(client.bye, BYE_UNKNOWN);
    cr_assert_str_eq(client.text, "not enrolled here");
    world_stop(&w, &client);
}

static void abort_at_once(struct end *end)
{
    link_abort(end->link, CN_E_REVOKED, "shut out");
    link_abort(end->link, CN_E_TLS, "not this one");
    cr_assert_eq(end->closed, 0);
}

Test(link, can_be_aborted_from_inside_its_callbacks)
{
    world_start(&w);
    client.on_opened = abort_at_once;
    world_connect(&w, &client);
    run_until(&w, &client.closed);
    cr_assert_eq(client.why, CN_E_REVOKED);
    cr_assert_str_eq(client.text, "shut out");
    world_stop(&w, &client);
}

Test(link, can_be_aborted_before_it_stands)
{
    world_start(&w);
    world_connect(&w, &client);
    cr_assert_eq(link_send(client.link, &(struct message){.type = MESSAGE_PONG}), CN_E_STATE);
    cr_assert_eq(link_exporter(client.link, (uint8_t[LINK_EXPORTER_BYTES]){0}), CN_E_STATE);
    link_abort(client.link, CN_E_CLOSED, "changed my mind");
    run_until(&w, &client.closed);
    cr_assert_eq(client.opened, 0);
    world_stop(&w, &client);
}

Test(link, closes_with_the_error_of_its_owner)
{
    struct message message = fetch(0);

    world_start(&w);
    world_pair(&w, &client);
    w.ends[0].answer = CN_E_UNEXPECTED;
    cr_assert_eq(link_send(client.link, &message), CN_OK);
    run_until(&w, &client.closed);
    run_until(&w, &w.ends[0].closed);
    cr_assert_eq(w.ends[0].why, CN_E_UNEXPECTED);
    cr_assert_eq(client.bye, BYE_PROTOCOL);
    cr_assert_str_eq(client.text, "FETCH: the message is out of turn");
    world_stop(&w, &client);
}

Test(link, closes_without_a_word_when_its_owner_has_trouble_of_its_own)
{
    struct message message = fetch(0);

    world_start(&w);
    world_pair(&w, &client);
    w.ends[0].answer = CN_E_NOMEM;
    cr_assert_eq(link_send(client.link, &message), CN_OK);
    run_until(&w, &client.closed);
    run_until(&w, &w.ends[0].closed);
    cr_assert_eq(w.ends[0].why, CN_E_NOMEM);
    cr_assert_eq(client.bye, BYE_CODE_COUNT);
    world_stop(&w, &client);
}

Test(link, stays_alive_in_silence_by_heartbeats)
{
    w.limits = (struct link_limits){.heartbeat_ms = 30, .dead_ms = 400};
    world_start(&w);
    world_pair(&w, &client);
    run_for(&w, 1000);
    cr_assert_eq(client.closed + w.ends[0].closed, 0);
    cr_assert_eq(client.messages + w.ends[0].messages, 0, "PING and PONG are the link's own");
    world_stop(&w, &client);
}

/* --- much at once --- */

static void send_on(struct end *end)
{
    struct message message;

    while (end->out.active && !link_congested(end->link)) {
        if (transfer_out_next(&end->out, &message))
            cr_assert_eq(link_send(end->link, &message), CN_OK);
    }
}

static void take_chunk(struct end *end, const struct message *message)
{
    cr_assert_eq(message->type, MESSAGE_CHUNK);
    cr_assert_eq(transfer_in_chunk(&end->in, &message->as.chunk, &end->done), CN_OK);
    if (end->done)
        link_bye(end->link, BYE_DONE, "thanks");
}

Test(link, carries_a_hundred_megabytes_without_filling_its_queue)
{
    size_t len = 100000000;
    uint8_t *blob = malloc(len), hash[HASH_BYTES];
    uint64_t start, took_ms;

    for (size_t i = 0; i < len; i++)
        blob[i] = (uint8_t)(i * 2654435761U >> 13);
    hash_blob(hash, blob, len);
    world_start(&w);
    world_pair(&w, &client);
    w.ends[0].on_message = take_chunk;
    cr_assert_eq(transfer_in_start(&w.ends[0].in, hash, len, len), CN_OK);
    cr_assert_eq(transfer_out_start(&client.out, hash, blob, len, 0), CN_OK);
    client.on_drained = send_on;
    start = uv_hrtime();
    send_on(&client);
    cr_assert(link_congested(client.link));
    run_until(&w, &client.closed);
    took_ms = (uv_hrtime() - start) / 1000000;
    cr_assert(w.ends[0].done);
    cr_assert(client.drained > 10);
    cr_assert_eq(memcmp(w.ends[0].in.bytes, blob, len), 0);
    fprintf(stderr, "100 MB over TLS on the loopback, hashed: %llu ms\n",
            (unsigned long long)took_ms);
    transfer_in_clear(&w.ends[0].in);
    world_stop(&w, &client);
    free(blob);
}

Test(link, refuses_a_message_that_finds_the_queue_full)
{
    static uint8_t bytes[CHUNK_BYTES_MAX];
    struct message chunk = {.type = MESSAGE_CHUNK,
                            .as.chunk = {.bytes = bytes, .len = sizeof bytes}};
    enum cn_err err = CN_OK;
    int queued = 0;

    world_start(&w);
    world_pair(&w, &client);
    while (err == CN_OK && queued < 1000) {
        chunk.as.chunk.offset = (uint64_t)queued;
        err = link_send(client.link, &chunk);
        queued += err == CN_OK;
    }
    cr_assert_eq(err, CN_E_TOO_LARGE);
    cr_assert(link_congested(client.link));
    while (w.ends[0].messages < queued)
        run_until(&w, &w.ends[0].messages), run_for(&w, 5);
    cr_assert_eq(w.ends[0].messages, queued, "what was queued arrives, what was refused does not");
    cr_assert_eq(w.ends[0].last.as.chunk.offset, (uint64_t)queued - 1);
    cr_assert_eq(client.drained, 1);
    cr_assert_not(link_congested(client.link));
    world_stop(&w, &client);
}

/* --- peers that misbehave --- */

/* The server's end closes with this error; its peer hears a BYE for it. */
static void expect_refusal(struct raw *raw, enum cn_err why)
{
    struct message message;

    cr_assert_eq(raw_next(&w, raw, &message), MESSAGE_BYE);
    cr_assert_eq(message.as.bye.code, BYE_PROTOCOL);
    raw_close(raw);
    run_until(&w, &w.ends[0].closed);
    cr_assert_eq(w.ends[0].why, why, "%s", cn_err_name(w.ends[0].why));
    cr_assert_eq(w.ends[0].messages, 0);
    world_stop(&w, NULL);
}

Test(link, refuses_a_frame_of_four_gigabytes_at_its_head)
{
    static struct raw raw;

    world_start(&w);
    raw_tls(&w, &raw);
    raw_send(&raw, "\xff\xff\xff\xff", 4);
    expect_refusal(&raw, CN_E_TOO_LARGE);
}

Test(link, refuses_a_frame_of_nothing)
{
    static struct raw raw;

    world_start(&w);
    raw_tls(&w, &raw);
    raw_send(&raw, "\0\0\0\0", 4);
    expect_refusal(&raw, CN_E_PARSE);
}

Test(link, refuses_bytes_that_are_no_message)
{
    static struct raw raw;

    world_start(&w);
    raw_tls(&w, &raw);
    raw_send(&raw, "\0\0\0\x05\xdd\xff\xff\xff\xff", 9);
    expect_refusal(&raw, CN_E_PARSE);
}

Test(link, does_not_wait_for_the_rest_of_a_frame_for_ever)
{
    static struct raw raw;

    w.limits = (struct link_limits){.frame_ms = 150};
    world_start(&w);
    raw_tls(&w, &raw);
    raw_send(&raw, "\0\0\0\x05\x92\x13", 6);
    expect_refusal(&raw, CN_E_DEADLINE);
}

Test(link, does_not_wait_for_the_rest_of_a_head_that_trickles)
{
    static struct raw raw;

    w.limits = (struct link_limits){.frame_ms = 200};
    world_start(&w);
    raw_tls(&w, &raw);
    raw_send(&raw, "\0", 1);
    run_for(&w, 100);
    raw_send(&raw, "\0", 1);
    run_for(&w, 60);
    cr_assert_eq(w.ends[0].closed, 0);
    raw_send(&raw, "\0", 1);
    expect_refusal(&raw, CN_E_DEADLINE);
}

Test(link, gives_a_silent_peer_up_after_asking_it)
{
    static struct raw raw;
    struct message message;

    w.limits = (struct link_limits){.heartbeat_ms = 50, .dead_ms = 300};
    world_start(&w);
    raw_tls(&w, &raw);
    cr_assert_eq(raw_next(&w, &raw, &message), MESSAGE_PING);
    run_until(&w, &w.ends[0].closed);
    cr_assert_eq(w.ends[0].why, CN_E_DEADLINE);
    cr_assert(strstr(w.ends[0].text, "nothing was heard from 127.0.0.1:") != NULL);
    raw_close(&raw);
    world_stop(&w, NULL);
}

static void fill_queue(struct end *end)
{
    static uint8_t bytes[CHUNK_BYTES_MAX];
    struct message chunk = {.type = MESSAGE_CHUNK,
                            .as.chunk = {.bytes = bytes, .len = sizeof bytes}};

    while (link_send(end->link, &chunk) == CN_OK)
        ;
}

Test(link, gives_a_peer_up_that_talks_and_never_reads)
{
    static struct raw raw;
    struct message message = ping(1);
    struct cn_buf frame;

    w.limits = (struct link_limits){.heartbeat_ms = 50, .dead_ms = 300};
    world_start(&w);
    raw_tls(&w, &raw);
    cn_buf_init(&frame, 100);
    cr_assert_eq(frame_encode(&frame, &message), CN_OK);
    fill_queue(&w.ends[0]);
    for (int i = 0; i < 200 && !w.ends[0].closed; i++) {
        raw_send(&raw, frame.data, frame.len);
        run_for(&w, 20);
    }
    cr_assert_eq(w.ends[0].closed, 1);
    cr_assert_eq(w.ends[0].why, CN_E_DEADLINE);
    cr_assert(strstr(w.ends[0].text, "took no bytes") != NULL, "%s", w.ends[0].text);
    cn_buf_clear(&frame);
    raw_close(&raw);
    world_stop(&w, NULL);
}

Test(link, answers_a_ping)
{
    static struct raw raw;
    struct message message = ping(4711);
    struct cn_buf frame;

    world_start(&w);
    raw_tls(&w, &raw);
    cn_buf_init(&frame, 100);
    cr_assert_eq(frame_encode(&frame, &message), CN_OK);
    raw_send(&raw, frame.data, frame.len);
    cr_assert_eq(raw_next(&w, &raw, &message), MESSAGE_PONG);
    cr_assert_eq(message.as.pong.nonce, 4711);
    cr_assert_eq(w.ends[0].messages, 0);
    cn_buf_clear(&frame);
    raw_close(&raw);
    run_until(&w, &w.ends[0].closed);
    cr_assert_eq(w.ends[0].why, CN_E_CLOSED);
    cr_assert_eq(w.ends[0].bye, BYE_CODE_COUNT);
    world_stop(&w, NULL);
}

Test(link, turns_plain_garbage_away)
{
    static struct raw raw;

    w.limits = (struct link_limits){.close_ms = 100};
    world_start(&w);
    raw_open(&w, &raw);
    cr_assert_eq(send(raw.fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    run_until(&w, &w.ends[0].closed);
    cr_assert_eq(w.ends[0].why, CN_E_TLS);
    cr_assert(strstr(w.ends[0].text, "does not speak TLS") != NULL, "%s", w.ends[0].text);
    cr_assert_eq(w.ends[0].opened, 0);
    raw_close(&raw);
    world_stop(&w, NULL);
}

Test(link, gives_up_who_never_begins_tls)
{
    static struct raw raw;

    w.limits = (struct link_limits){.handshake_ms = 150};
    world_start(&w);
    raw_open(&w, &raw);
    run_until(&w, &w.ends[0].closed);
    cr_assert_eq(w.ends[0].why, CN_E_DEADLINE);
    cr_assert(strstr(w.ends[0].text, "did not set up TLS within 150 ms") != NULL, "%s",
              w.ends[0].text);
    raw_close(&raw);
    world_stop(&w, NULL);
}

Test(link, survives_peers_that_vanish_while_tls_is_set_up)
{
    static struct raw raw;

    world_start(&w);
    for (int i = 0; i < 5; i++) {
        raw_open(&w, &raw);
        cr_assert_eq(send(raw.fd, "\x16\x03\x01\x02\x00\x01", 6, 0), 6);
        raw_close(&raw);
    }
    run_until(&w, &w.ends[4].closed);
    world_pair(&w, &client);
    world_stop(&w, &client);
}

Test(link, refuses_a_server_that_is_not_the_pinned_one)
{
    struct link_tls *stranger;
    uint8_t pin[LINK_PIN_BYTES];

    world_start(&w);
    link_tls_pin(w.server_tls, pin);
    pin[31] ^= 1;
    cr_assert_eq(link_tls_client(&stranger, pin, NULL), CN_OK);
    link_tls_free(w.client_tls);
    w.client_tls = stranger;
    world_connect(&w, &client);
    run_until(&w, &client.closed);
    run_until(&w, &w.ends[0].closed);
    cr_assert_eq(client.opened, 0);
    cr_assert_eq(client.why, CN_E_AUTH);
    cr_assert(strstr(client.text, "ask for a new join link") != NULL);
    cr_assert_eq(w.ends[0].opened, 0);
    cr_assert_eq(w.ends[0].why, CN_E_TLS);
    cr_assert(strstr(w.ends[0].text, "refused the TLS connection") != NULL, "%s", w.ends[0].text);
    world_stop(&w, &client);
}
