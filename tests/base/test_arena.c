/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"

Test(arena, gives_zeroed_aligned_memory_that_does_not_overlap)
{
    struct cn_arena arena;
    unsigned char *parts[200];

    cn_arena_init(&arena, (size_t)1 << 24);
    for (size_t i = 0; i < CN_COUNT(parts); i++) {
        parts[i] = cn_arena_alloc(&arena, i * 7, 5);
        cr_assert_not_null(parts[i]);
        cr_assert_eq((uintptr_t)parts[i] % CN_ARENA_ALIGN, 0);
        for (size_t j = 0; j < i * 35; j++)
            cr_assert_eq(parts[i][j], 0);
        memset(parts[i], (int)i + 1, i * 35);
    }
    for (size_t i = 0; i < CN_COUNT(parts); i++)
        for (size_t j = 0; j < i * 35; j++)
            cr_assert_eq(parts[i][j], (unsigned char)(i + 1));
    cn_arena_clear(&arena);
}

Test(arena, refuses_to_pass_its_maximum)
{
    struct cn_arena arena;

    cn_arena_init(&arena, 1024);
    cr_assert_not_null(cn_arena_alloc(&arena, 1, 1000));
    cr_assert_null(cn_arena_alloc(&arena, 1, 1));
    cn_arena_clear(&arena);
    cr_assert_not_null(cn_arena_alloc(&arena, 1024, 1), "a cleared arena is empty again");
    cn_arena_clear(&arena);
}

Test(arena, refuses_products_that_overflow)
{
    struct cn_arena arena;

    cn_arena_init(&arena, SIZE_MAX);
    cr_assert_null(cn_arena_alloc(&arena, SIZE_MAX / 2, 3));
    cr_assert_null(cn_arena_alloc(&arena, SIZE_MAX, 1));
    cr_assert_null(cn_arena_alloc(&arena, 1, SIZE_MAX - 10));
    cn_arena_clear(&arena);
}

Test(arena, a_request_of_nothing_is_a_valid_pointer)
{
    struct cn_arena arena;

    cn_arena_init(&arena, 4096);
    cr_assert_not_null(cn_arena_alloc(&arena, 0, 8));
    cr_assert_not_null(cn_arena_alloc(&arena, 8, 0));
    cn_arena_clear(&arena);
}

Test(arena, serves_requests_larger_than_a_block)
{
    struct cn_arena arena;
    unsigned char *large;

    cn_arena_init(&arena, (size_t)1 << 22);
    cr_assert_not_null(cn_arena_alloc(&arena, 1, 10));
    large = cn_arena_alloc(&arena, 1, (size_t)1 << 20);
    cr_assert_not_null(large);
    memset(large, 1, (size_t)1 << 20);
    cr_assert_not_null(cn_arena_alloc(&arena, 1, 10));
    cn_arena_clear(&arena);
}

Test(arena, copies_strings)
{
    struct cn_arena arena;
    char text[] = "cairn";
    char *copy;

    cn_arena_init(&arena, 128);
    copy = cn_arena_strdup(&arena, text);
    text[0] = 'x';
    cr_assert_str_eq(copy, "cairn");
    cr_assert_str_eq(cn_arena_strdup(&arena, ""), "");
    cr_assert_null(cn_arena_strdup(&arena, "no room"));
    cn_arena_clear(&arena);
}
