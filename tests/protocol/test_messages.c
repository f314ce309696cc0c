/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "sample.h"

struct bench {
    struct cn_buf bytes, again;
    struct cn_arena arena;
};

static void bench_init(struct bench *b)
{
    cn_buf_init(&b->bytes, 2 * MESSAGE_BYTES_MAX);
    cn_buf_init(&b->again, 2 * MESSAGE_BYTES_MAX);
    cn_arena_init(&b->arena, (size_t)4 << 20);
}

static void bench_clear(struct bench *b)
{
    cn_buf_clear(&b->bytes);
    cn_buf_clear(&b->again);
    cn_arena_clear(&b->arena);
}

static enum cn_err decode(struct bench *b, struct message *out)
{
    return message_decode(out, b->bytes.data, b->bytes.len, &b->arena);
}

/* Encodes, decodes and encodes again; the two byte strings must be one. */
static void round_trip(struct bench *b, const struct message *in, struct message *out)
{
    enum cn_err err = message_encode(&b->bytes, in);

    cr_assert_eq(err, CN_OK, "%s: %s", message_name(in->type), cn_err_name(err));
    err = decode(b, out);
    cr_assert_eq(err, CN_OK, "%s: %s", message_name(in->type), cn_err_name(err));
    cr_assert_eq(out->type, in->type);
    cr_assert_eq(message_encode(&b->again, out), CN_OK);
    cr_assert_eq(b->again.len, b->bytes.len);
    cr_assert_eq(memcmp(b->again.data, b->bytes.data, b->bytes.len), 0);
}

Test(messages, keep_every_field_on_their_way)
{
    /* Those without pointers are compared as memory: samples and decoded messages begin as zeros.
     */
    static const struct {
        enum message_type type;
        size_t bytes;
    } plain[] = {
#define PLAIN(NAME, field) {MESSAGE_##NAME, sizeof(struct message_##field)}
        PLAIN(HELLO, hello),         PLAIN(WELCOME, welcome), PLAIN(OFFER, offer),
        PLAIN(ACCEPT, accept),       PLAIN(DECLINE, decline), PLAIN(FETCH, fetch),
        PLAIN(READY, ready),         PLAIN(UPLOAD, upload),   PLAIN(RESUME, resume),
        PLAIN(VOUCH, vouch),         PLAIN(OUTCOME, outcome), PLAIN(PING, ping),
        PLAIN(PONG, pong),           PLAIN(BYE, bye),         PLAIN(COLLECT, collect),
        PLAIN(RECEIPTED, receipted),
    };
    for (size_t i = 0; i < CN_COUNT(plain); i++) {
        struct bench b;
        struct message in, out;

        bench_init(&b);
        sample_message(&in, plain[i].type);
        round_trip(&b, &in, &out);
        cr_assert_eq(memcmp(&in.as, &out.as, plain[i].bytes), 0, "%s", message_name(in.type));
        bench_clear(&b);
    }
}

Test(messages, keep_their_lists_on_the_way)
{
    struct message in, out;
    struct bench b;

#define CHECK_LIST(NAME, field, list)                                                              \
    bench_init(&b);                                                                                \
    sample_message(&in, MESSAGE_##NAME);                                                           \
    round_trip(&b, &in, &out);                                                                     \
    cr_assert(round_id_equal(&in.as.field.id, &out.as.field.id));                                  \
    cr_assert_eq(out.as.field.count, SAMPLE_LIST);                                                 \
    cr_assert_eq(                                                                                  \
        memcmp(in.as.field.list, out.as.field.list, SAMPLE_LIST * sizeof *in.as.field.list), 0);   \
    bench_clear(&b)
    CHECK_LIST(SHARES, shares, sealed);
    CHECK_LIST(INBOX, inbox, sealed);
    CHECK_LIST(SURVIVORS, survivors, indices);
    CHECK_LIST(VOUCHES, vouches, vouches);
    CHECK_LIST(REVEAL, reveal, shares);
    CHECK_LIST(ROSTER, roster, members);
    cr_assert_eq(out.as.roster.threshold, 3);
}

Test(messages, give_a_chunk_as_a_view_into_the_bytes)
{
    struct message in, out;
    struct bench b;

    bench_init(&b);
    sample_message(&in, MESSAGE_CHUNK);
    in.as.chunk.len = CHUNK_BYTES_MAX;
    round_trip(&b, &in, &out);
    cr_assert_eq(out.as.chunk.len, CHUNK_BYTES_MAX);
    cr_assert_eq(out.as.chunk.offset, in.as.chunk.offset);
    cr_assert_eq(memcmp(out.as.chunk.hash, in.as.chunk.hash, HASH_BYTES), 0);
    cr_assert_eq(out.as.chunk.bytes, b.bytes.data + b.bytes.len - CHUNK_BYTES_MAX);
    cr_assert_eq(memcmp(out.as.chunk.bytes, sample_bytes, CHUNK_BYTES_MAX), 0);
    bench_clear(&b);
}

Test(messages, carry_the_largest_roster_in_one_frame)
{
    for (int type = MESSAGE_HELLO; type < MESSAGE_TYPE_COUNT; type++) {
        struct message in, out;
        struct bench b;

        bench_init(&b);
        sample_message(&in, (enum message_type)type);
        sample_lists(&in, sample_lists_max(in.type));
        round_trip(&b, &in, &out);
        bench_clear(&b);
    }
}

Test(messages, are_refused_at_every_truncation)
{
    for (int type = MESSAGE_HELLO; type < MESSAGE_TYPE_COUNT; type++) {
        struct message in, out;
        struct bench b;

        bench_init(&b);
        sample_message(&in, (enum message_type)type);
        cr_assert_eq(message_encode(&b.bytes, &in), CN_OK);
        for (size_t len = 0; len < b.bytes.len; len++) {
            /* A copy of exactly this length, so that the sanitizer sees a read past it. */
            uint8_t *cut = malloc(len ? len : 1);

            memcpy(cut, b.bytes.data, len);
            cr_assert_eq(message_decode(&out, cut, len, &b.arena), CN_E_PARSE, "%s at %zu",
                         message_name(in.type), len);
            cr_assert_eq(out.type, MESSAGE_NONE);
            free(cut);
        }
        bench_clear(&b);
    }
}

Test(messages, are_refused_with_a_byte_behind_them)
{
    for (int type = MESSAGE_HELLO; type < MESSAGE_TYPE_COUNT; type++) {
        struct message in, out;
        struct bench b;

        bench_init(&b);
        sample_message(&in, (enum message_type)type);
        cr_assert_eq(message_encode(&b.bytes, &in), CN_OK);
        cn_put_u8(&b.bytes, 0);
        cr_assert_eq(decode(&b, &out), CN_E_PARSE);
        bench_clear(&b);
    }
}

Test(messages, have_one_byte_string_each)
{
    /* Whatever single byte changes: it is refused, or it is another message with these bytes. */
    for (int type = MESSAGE_HELLO; type < MESSAGE_TYPE_COUNT; type++) {
        struct message in, out;
        struct bench b;

        bench_init(&b);
        sample_message(&in, (enum message_type)type);
        cr_assert_eq(message_encode(&b.bytes, &in), CN_OK);
        for (size_t at = 0; at < b.bytes.len; at++) {
            uint8_t was = b.bytes.data[at];

            b.bytes.data[at] = (uint8_t)(was ^ (1U << (at % 8)));
            cn_buf_reset(&b.again);
            if (decode(&b, &out) == CN_OK) {
                cr_assert_eq(message_encode(&b.again, &out), CN_OK);
                cr_assert_eq(b.again.len, b.bytes.len);
                cr_assert_eq(memcmp(b.again.data, b.bytes.data, b.bytes.len), 0);
            }
            b.bytes.data[at] = was;
            cn_arena_clear(&b.arena);
        }
        bench_clear(&b);
    }
}

static enum cn_err decode_literal(const char *bytes, size_t len)
{
    struct cn_arena arena;
    struct message out;
    enum cn_err err;

    cn_arena_init(&arena, 1 << 20);
    err = message_decode(&out, (const uint8_t *)bytes, len, &arena);
    cr_assert_eq(out.type == MESSAGE_NONE, err != CN_OK);
    cr_assert(arena.used_bytes <= 1 << 16);
    cn_arena_clear(&arena);
    return err;
}
#define DECODE(literal) decode_literal(literal, sizeof(literal) - 1)

Test(messages, have_the_bytes_the_documentation_gives)
{
    struct message in;
    struct bench b;

    bench_init(&b);
    in = (struct message){.type = MESSAGE_PING, .as.ping.nonce = 300};
    cr_assert_eq(message_encode(&b.bytes, &in), CN_OK);
    cr_assert_eq(b.bytes.len, 5);
    cr_assert_eq(memcmp(b.bytes.data, "\x92\x13\xcd\x01\x2c", 5), 0);
    cn_buf_reset(&b.bytes);
    in = (struct message){.type = MESSAGE_BYE, .as.bye = {BYE_STOPPING, "soon"}};
    cr_assert_eq(message_encode(&b.bytes, &in), CN_OK);
    cr_assert_eq(b.bytes.len, 8);
    cr_assert_eq(memcmp(b.bytes.data, "\x93\x15\x0a\xa4soon", 8), 0);
    bench_clear(&b);
    cr_assert_eq(DECODE("\x92\x13\xcd\x01\x2c"), CN_OK);
}

Test(messages, refuse_other_spellings_of_the_same_value)
{
    cr_assert_eq(DECODE("\x92\x13\x05"), CN_OK);
    cr_assert_eq(DECODE("\x92\xcc\x13\x05"), CN_E_PARSE);             /* type as uint 8 */
    cr_assert_eq(DECODE("\x92\x13\xcc\x05"), CN_E_PARSE);             /* 5 as uint 8 */
    cr_assert_eq(DECODE("\x92\x13\xcd\x00\xff"), CN_E_PARSE);         /* 255 as uint 16 */
    cr_assert_eq(DECODE("\x92\x13\xce\x00\x00\xff\xff"), CN_E_PARSE); /* 65535 as uint 32 */
    cr_assert_eq(DECODE("\x92\x13\xcf\0\0\0\0\xff\xff\xff\xff"), CN_E_PARSE);
    cr_assert_eq(DECODE("\x92\x13\xd0\x05"), CN_E_PARSE);             /* 5 as int 8 */
    cr_assert_eq(DECODE("\xdc\x00\x02\x13\x05"), CN_E_PARSE);         /* array 16 of two */
    cr_assert_eq(DECODE("\xdd\x00\x00\x00\x02\x13\x05"), CN_E_PARSE); /* array 32 of two */
    cr_assert_eq(DECODE("\x93\x15\x0a\xa1x"), CN_OK);
    cr_assert_eq(DECODE("\x93\x15\x0a\xd9\x01x"), CN_E_PARSE); /* str 8 of one */
    cr_assert_eq(DECODE("\x93\x15\x0a\xc4\x01x"), CN_E_PARSE); /* bytes for a text */
}

Test(messages, refuse_the_five_bytes_that_ask_for_memory)
{
    cr_assert_eq(DECODE("\xdd\xff\xff\xff\xff"), CN_E_PARSE);
    cr_assert_eq(DECODE("\x92\x13\xdd\xff\xff\xff\xff"), CN_E_PARSE);
    cr_assert_eq(DECODE("\xdf\xff\xff\xff\xff"), CN_E_PARSE);
    cr_assert_eq(DECODE("\xc6\xff\xff\xff\xff"), CN_E_PARSE);
}

Test(messages, refuse_types_and_values_out_of_range)
{
    cr_assert_eq(DECODE("\x90"), CN_E_PARSE);
    cr_assert_eq(DECODE("\x91\x00"), CN_E_PARSE);
    cr_assert_eq(DECODE("\x92\x16\x05"), CN_E_PARSE);          /* one past BYE */
    cr_assert_eq(DECODE("\x92\x2a\x05"), CN_E_PARSE);          /* no such type */
    cr_assert_eq(DECODE("\x92\xff\x05"), CN_E_PARSE);          /* type -1 */
    cr_assert_eq(DECODE("\x92\xa1\x13\x05"), CN_E_PARSE);      /* type is a text */
    cr_assert_eq(DECODE("\x92\x13\xff"), CN_E_PARSE);          /* nonce -1 */
    cr_assert_eq(DECODE("\x92\x13\xc0"), CN_E_PARSE);          /* nonce nil */
    cr_assert_eq(DECODE("\x92\x13\xc3"), CN_E_PARSE);          /* nonce true */
    cr_assert_eq(DECODE("\x91\x13"), CN_E_PARSE);              /* a field short */
    cr_assert_eq(DECODE("\x93\x13\x05\x05"), CN_E_PARSE);      /* a field too many */
    cr_assert_eq(DECODE("\x93\x15\x0b\xa0"), CN_E_PARSE);      /* BYE_CODE_COUNT */
    cr_assert_eq(DECODE("\x93\x15\x00\xa2x\x00"), CN_E_PARSE); /* a zero byte in a text */
    cr_assert_eq(DECODE("\x05"), CN_E_PARSE);
    cr_assert_eq(DECODE(""), CN_E_PARSE);
}

Test(messages, refuse_more_than_the_maximum)
{
    struct bench b;
    struct message in, out;
    uint8_t *large = calloc(1, MESSAGE_BYTES_MAX + 1);

    bench_init(&b);
    cr_assert_eq(message_decode(&out, large, MESSAGE_BYTES_MAX + 1, &b.arena), CN_E_TOO_LARGE);
    free(large);
    sample_message(&in, MESSAGE_CHUNK);
    in.as.chunk.len = CHUNK_BYTES_MAX + 1;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_TOO_LARGE);
    in.as.chunk.len = 0;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_STATE);
    sample_message(&in, MESSAGE_SURVIVORS);
    in.as.survivors.count = MESSAGE_MEMBERS_MAX + 1;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_TOO_LARGE);
    sample_message(&in, MESSAGE_BYE);
    memset(in.as.bye.text, 'x', sizeof in.as.bye.text);
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_TOO_LARGE);
    cr_assert_eq(b.bytes.len, 0);
    bench_clear(&b);
}

/* BYE with a text of 256 bytes: one more than a reason may have. */
Test(messages, refuse_a_text_and_a_list_past_their_maximum)
{
    struct bench b;
    struct message out;

    bench_init(&b);
    cn_put_bytes(&b.bytes, "\x93\x15\x00\xda\x01\x00", 6);
    memset(cn_buf_extend(&b.bytes, 256), 'x', 256);
    cr_assert_eq(decode(&b, &out), CN_E_TOO_LARGE);
    cn_buf_reset(&b.bytes);
    cn_put_bytes(&b.bytes, "\x93\x18\x93\xc4\x10", 5); /* COMPLAINT about 2048 neighbours */
    memset(cn_buf_extend(&b.bytes, 16), 1, 16);
    cn_put_bytes(&b.bytes, "\x01\x01\xdc\x08\x00", 5);
    memset(cn_buf_extend(&b.bytes, 2048), 1, 2048);
    cr_assert_eq(decode(&b, &out), CN_E_TOO_LARGE);
    bench_clear(&b);
}

Test(messages, refuse_survivors_out_of_order)
{
    uint32_t twice[] = {1, 2, 2}, falling[] = {3, 2};
    struct bench b;
    struct message in, out;

    bench_init(&b);
    sample_message(&in, MESSAGE_SURVIVORS);
    in.as.survivors.indices = twice;
    in.as.survivors.count = 3;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_STATE);
    in.as.survivors.indices = falling;
    in.as.survivors.count = 2;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_STATE);
    falling[0] = 1;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_OK);
    cr_assert_eq(b.bytes.data[b.bytes.len - 1], 2);
    b.bytes.data[b.bytes.len - 1] = 1;
    cr_assert_eq(decode(&b, &out), CN_E_PARSE);
    bench_clear(&b);
}

Test(messages, carry_rosters_with_and_without_entries_and_refuse_parts_of_entries)
{
    struct bench b;
    struct message in, out;

    bench_init(&b);
    sample_message(&in, MESSAGE_ROSTER);
    round_trip(&b, &in, &out);
    cr_assert_eq(out.as.roster.entries_len, 7 * MESSAGE_ENTRY_BYTES);
    cr_assert_eq(memcmp(out.as.roster.entries, sample_entries, out.as.roster.entries_len), 0);
    cr_assert_eq(message_roster_devices(&out.as.roster), 7);
    cr_assert_eq((const void *)message_roster_entries(&out.as.roster), out.as.roster.entries);
    cn_buf_reset(&b.bytes);
    cn_buf_reset(&b.again);
    in.as.roster.entries_len = 0;
    round_trip(&b, &in, &out);
    cr_assert_eq(message_roster_devices(&out.as.roster), SAMPLE_LIST);
    cr_assert_null(message_roster_entries(&out.as.roster));
    cn_buf_reset(&b.bytes);
    in.as.roster.entries_len = MESSAGE_ENTRY_BYTES + 1;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_STATE);
    in.as.roster.entries_len = (MESSAGE_MEMBERS_MAX + 1) * MESSAGE_ENTRY_BYTES;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_TOO_LARGE);
    in.as.roster.entries_len = MESSAGE_ENTRY_BYTES;
    in.as.roster.count = 0;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_OK);
    /* array of 5, type, round, threshold 3, then bin 8 of 64: one byte less is no entry */
    size_t at = b.bytes.len - 1 - MESSAGE_ENTRY_BYTES - 1;
    cr_assert_eq(b.bytes.data[at], MESSAGE_ENTRY_BYTES);
    b.bytes.data[at]--;
    b.bytes.data[b.bytes.len - 2] = 0x90;
    b.bytes.len--;
    cr_assert_eq(decode(&b, &out), CN_E_PARSE);
    bench_clear(&b);
}

Test(messages, refuse_to_say_what_no_message_may_say)
{
    struct bench b;
    struct message in;

    bench_init(&b);
    sample_message(&in, MESSAGE_ACCEPT);
    in.as.accept.id.round = 0;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_STATE);
    sample_message(&in, MESSAGE_BYE);
    in.as.bye.code = BYE_CODE_COUNT;
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_STATE);
    in = (struct message){.type = MESSAGE_NONE};
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_STATE);
    in = (struct message){.type = MESSAGE_TYPE_COUNT};
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_STATE);
    cr_assert_eq(b.bytes.len, 0);
    cr_assert_eq(cn_buf_finish(&b.bytes), CN_OK);
    bench_clear(&b);
}

Test(messages, say_when_buffer_or_arena_is_full)
{
    struct bench b;
    struct message in, out;

    bench_init(&b);
    b.bytes.max = 100;
    sample_message(&in, MESSAGE_HELLO);
    cr_assert_eq(message_encode(&b.bytes, &in), CN_E_TOO_LARGE);
    cr_assert_eq(b.bytes.len, 0);
    b.bytes.max = MESSAGE_BYTES_MAX;
    cn_buf_reset(&b.bytes);
    sample_message(&in, MESSAGE_ROSTER);
    cr_assert_eq(message_encode(&b.bytes, &in), CN_OK);
    b.arena.max_bytes = 64;
    cr_assert_eq(decode(&b, &out), CN_E_NOMEM);
    bench_clear(&b);
}

/* Computed with Python's hashlib from docs/protocol.md. */
Test(messages, bind_a_round_as_the_documentation_says)
{
    static const uint8_t expected[HASH_BYTES] = {0xf8, 0x92, 0x9e, 0x80, 0x83, 0x45, 0xce, 0xc2,
                                                 0x0a, 0xe0, 0x95, 0xff, 0x9d, 0xcd, 0xd2, 0x15,
                                                 0x40, 0x1e, 0x91, 0xe3, 0xb3, 0xa8, 0xbf, 0xcf,
                                                 0x97, 0xb4, 0x2a, 0x73, 0xe5, 0xc1, 0x35, 0x0b};
    struct round_id id = {.round = 1, .attempt = 2};
    uint8_t plan[HASH_BYTES], model[HASH_BYTES], binding[HASH_BYTES];

    for (uint8_t i = 0; i < TASK_ID_BYTES; i++)
        id.task[i] = i;
    memset(plan, 1, sizeof plan);
    memset(model, 2, sizeof model);
    round_binding(binding, &id, plan, model);
    cr_assert_eq(memcmp(binding, expected, sizeof binding), 0);
}

Test(messages, bind_a_round_to_all_of_its_parts)
{
    uint8_t plan[HASH_BYTES] = {1}, model[HASH_BYTES] = {2}, first[HASH_BYTES], other[HASH_BYTES];
    struct round_id id = sample_id(), changed = id;

    round_binding(first, &id, plan, model);
    round_binding(other, &id, plan, model);
    cr_assert_eq(memcmp(first, other, HASH_BYTES), 0);
    changed.attempt++;
    cr_assert_not(round_id_equal(&id, &changed));
    round_binding(other, &changed, plan, model);
    cr_assert_neq(memcmp(first, other, HASH_BYTES), 0);
    changed = id;
    changed.task[15] ^= 1;
    round_binding(other, &changed, plan, model);
    cr_assert_neq(memcmp(first, other, HASH_BYTES), 0);
    round_binding(other, &id, model, plan);
    cr_assert_neq(memcmp(first, other, HASH_BYTES), 0);
}

Test(messages, have_names)
{
    cr_assert_str_eq(message_name(MESSAGE_HELLO), "HELLO");
    cr_assert_str_eq(message_name(MESSAGE_BYE), "BYE");
    cr_assert_str_eq(message_name(MESSAGE_NONE), "?");
    cr_assert_str_eq(message_name(MESSAGE_TYPE_COUNT), "?");
}
