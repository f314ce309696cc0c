/* SPDX-License-Identifier: Apache-2.0 */
/* Turning matrices over: a part of kernels_body.h, which includes it.
 *
 * A square of LANES by LANES floats is turned in registers: stage s exchanges squares of side s
 * that lie across the diagonal, for s = 1, 2, 4, ... (Eklundh 1972). */

/* Of two rows a and b that lie s apart: what the upper and what the lower one becomes. */
/* clang-format off */
#if LANES == 16
#define UPPER_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define LOWER_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define UPPER_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define LOWER_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define UPPER_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define LOWER_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define UPPER_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define LOWER_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#elif LANES == 8
#define UPPER_1 0, 8, 2, 10, 4, 12, 6, 14
#define LOWER_1 1, 9, 3, 11, 5, 13, 7, 15
#define UPPER_2 0, 1, 8, 9, 4, 5, 12, 13
#define LOWER_2 2, 3, 10, 11, 6, 7, 14, 15
#define UPPER_4 0, 1, 2, 3, 8, 9, 10, 11
#define LOWER_4 4, 5, 6, 7, 12, 13, 14, 15
#else
#define UPPER_1 0, 4, 2, 6
#define LOWER_1 1, 5, 3, 7
#define UPPER_2 0, 1, 4, 5
#define LOWER_2 2, 3, 6, 7
#endif
/* clang-format on */

#define EXCHANGE(side)                                                                             \
    UNROLL                                                                                         \
    for (unsigned i = 0; i < LANES; i++) {                                                         \
        if (i & (side))                                                                            \
            continue;                                                                              \
        const vec a = row[i], b = row[i + (side)];                                                 \
                                                                                                   \
        row[i] = __builtin_shufflevector(a, b, UPPER_##side);                                      \
        row[i + (side)] = __builtin_shufflevector(a, b, LOWER_##side);                             \
    }

/* Only the first height rows of in are there; the others count as zeros. */
INLINE void turn_rows(float *restrict out, const float *restrict in, size_t out_step,
                      size_t in_step, unsigned height)
{
    vec row[LANES];

    UNROLL
    for (unsigned i = 0; i < LANES; i++) {
        row[i] = (vec){0.0f};
        if (i < height)
            row[i] = *(const vec_mem *)(in + i * in_step);
    }
    EXCHANGE(1)
    EXCHANGE(2)
#if LANES >= 8
    EXCHANGE(4)
#endif
#if LANES >= 16
    EXCHANGE(8)
#endif
    UNROLL
    for (unsigned i = 0; i < LANES; i++)
        *(vec_mem *)(out + i * out_step) = row[i];
}

INLINE void turn_rest(float *restrict out, const float *restrict in, size_t rows, size_t columns,
                      size_t height, size_t width)
{
    for (size_t j = 0; j < width; j++)
        for (size_t i = 0; i < height; i++)
            out[j * rows + i] = in[i * columns + j];
}

static void transpose_fast(float *out, const float *in, size_t rows, size_t columns)
{
    for (size_t i = 0; i < rows; i += LANES) {
        for (size_t j = 0; j < columns; j += LANES) {
            size_t height = rows - i < LANES ? rows - i : LANES;
            size_t width = columns - j < LANES ? columns - j : LANES;
            float *to = out + j * rows + i;
            const float *from = in + i * columns + j;

            if (height == LANES && width == LANES)
                turn_rows(to, from, rows, columns, LANES);
            else
                turn_rest(to, from, rows, columns, height, width);
        }
    }
}

/* panel [depth, LANES] = the rows of in [count, depth], in_step apart, turned over; columns from
 * count on are zeros. */
static void turn_panel(float *panel, size_t panel_step, const float *in, size_t in_step,
                       unsigned count, size_t depth)
{
    size_t k = 0;

    for (; k + LANES <= depth; k += LANES) {
        if (count == LANES)
            turn_rows(panel + k * panel_step, in + k, panel_step, in_step, LANES);
        else
            turn_rows(panel + k * panel_step, in + k, panel_step, in_step, count);
    }
    for (; k < depth; k++)
        for (unsigned j = 0; j < LANES; j++)
            panel[k * panel_step + j] = j < count ? in[j * in_step + k] : 0.0f;
}
