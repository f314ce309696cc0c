/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: a part of kernels_body.h, which includes it.
 *
 * A block of c, a few rows by one or two vectors, stays in registers while it runs through k. The
 * sum is cut into blocks of about DEPTH so that the columns of b in use stay in the first-level
 * cache from one block of rows to the next; where the sum is short and c is large, rows come first,
 * so that c is walked through once, line by line (Goto and van de Geijn 2008, without copies). */

#define DEPTH 256u
#define SHORT_SUM 64u /* at most that deep, walking through c decides */

/* One block of c, rows x (vectors * LANES), and where its parts lie. */
struct tile {
    float *c;
    const float *a;
    const float *b;
    const float *bias; /* already at the block's first column */
};

/* rows, vectors and transposed are constants wherever this is inlined, so that acc stays in
 * registers and every inner loop disappears. */
INLINE void tile_run(struct tile t, const struct gemm *g, const unsigned rows,
                     const unsigned vectors, const bool transposed)
{
    const size_t row_step = transposed ? 1 : g->lda, k_step = transposed ? g->lda : 1;
    const size_t ldb = g->ldb, ldc = g->ldc, k = g->k;
    vec acc[KERNELS_ROWS_1][2];

    UNROLL
    for (unsigned r = 0; r < rows; r++) {
        UNROLL
        for (unsigned v = 0; v < vectors; v++) {
            acc[r][v] = (vec){0.0f};
            if (g->add)
                acc[r][v] = *(const vec_mem *)(t.c + r * ldc + v * LANES);
            else if (t.bias)
                acc[r][v] = *(const vec_mem *)(t.bias + v * LANES);
        }
    }
    for (uint32_t part = 0; part < g->parts; part++) {
        const float *a = t.a + part * g->a_part;

        for (const float *end = a + k * k_step; a != end; a += k_step, t.b += ldb) {
            const vec b0 = *(const vec_mem *)t.b;
            const vec b1 = *(const vec_mem *)(t.b + (vectors - 1) * LANES);

            UNROLL
            for (unsigned r = 0; r < rows; r++) {
                const float s = a[r * row_step];

                acc[r][0] += s * b0;
                if (vectors == 2)
                    acc[r][1] += s * b1;
            }
        }
    }
    UNROLL
    for (unsigned r = 0; r < rows; r++) {
        UNROLL
        for (unsigned v = 0; v < vectors; v++)
            *(vec_mem *)(t.c + r * ldc + v * LANES) = acc[r][v];
    }
}

#define ROWS_CASE(count)                                                                           \
    case count:                                                                                    \
        if (count <= (vectors == 2 ? KERNELS_ROWS_2 : KERNELS_ROWS_1))                             \
            tile_run(t, g, count, vectors, transposed);                                            \
        break;

/* Not inlined: there is one copy of all the heights per number of vectors and way of lying. */
INLINE void tile_heights(struct tile t, const struct gemm *g, unsigned rows, const unsigned vectors,
                         const bool transposed)
{
    switch (rows) {
        ROWS_CASE(1)
        ROWS_CASE(2)
        ROWS_CASE(3)
        ROWS_CASE(4)
        ROWS_CASE(5)
        ROWS_CASE(6)
        ROWS_CASE(7)
        ROWS_CASE(8)
        ROWS_CASE(9)
        ROWS_CASE(10)
        ROWS_CASE(11)
        ROWS_CASE(12)
        ROWS_CASE(13)
        ROWS_CASE(14)
        ROWS_CASE(15)
        ROWS_CASE(16)
    }
}

#define TILE_KIND(name, vectors, transposed)                                                       \
    static __attribute__((noinline)) void name(const struct tile *t, const struct gemm *g,         \
                                               unsigned rows)                                      \
    {                                                                                              \
        tile_heights(*t, g, rows, vectors, transposed);                                            \
    }

TILE_KIND(tile_nn_1, 1, false)
TILE_KIND(tile_nn_2, 2, false)
TILE_KIND(tile_tn_1, 1, true)
TILE_KIND(tile_tn_2, 2, true)

INLINE void tile_pick(const struct tile *t, const struct gemm *g, unsigned rows, unsigned vectors,
                      bool transposed)
{
    if (transposed)
        vectors == 2 ? tile_tn_2(t, g, rows) : tile_tn_1(t, g, rows);
    else
        vectors == 2 ? tile_nn_2(t, g, rows) : tile_nn_1(t, g, rows);
}

INLINE uint32_t rows_most(unsigned vectors)
{
    return vectors == 2 ? KERNELS_ROWS_2 : KERNELS_ROWS_1;
}

INLINE size_t row_step_of(const struct gemm *g, bool transposed)
{
    return transposed ? 1 : g->lda;
}

/* One column of blocks: all m rows, cut into parts of nearly equal height, because a block of one
 * row would wait for its own sums. */
static void tile_column(struct tile t, const struct gemm *g, unsigned vectors, bool transposed)
{
    const size_t row_step = row_step_of(g, transposed);
    const uint32_t most = rows_most(vectors);

    for (uint32_t parts = (g->m + most - 1) / most, left = g->m; parts > 0; parts--) {
        uint32_t rows = (left + parts - 1) / parts;

        tile_pick(&t, g, rows, vectors, transposed);
        t.a += rows * row_step;
        t.c += rows * g->ldc;
        left -= rows;
    }
}

/* The same for every group of rows. */
INLINE void tile_groups(struct tile t, const struct gemm *g, unsigned vectors, bool transposed)
{
    uint32_t left = g->groups;

    do {
        tile_column(t, g, vectors, transposed);
        t.a += g->a_group;
        t.c += g->c_group;
    } while (left-- > 1);
}

#define PANEL_K 128
#define PANEL_M 32

/* Rows [0, m) of a block that is narrower than a vector: panel holds b's columns, filled up with
 * zeros; c goes through a block of full width. g is the panel's part of the product. */
static void narrow_rows(struct tile t, const struct gemm *g, uint32_t columns, bool transposed)
{
    float wide[PANEL_M * LANES];
    struct gemm part = *g;
    size_t row_step = row_step_of(g, transposed);

    part.ldc = LANES;
    part.add = true;
    for (uint32_t row = 0; row < g->m; row += PANEL_M) {
        part.m = g->m - row < PANEL_M ? g->m - row : PANEL_M;
        memset(wide, 0, sizeof wide);
        for (uint32_t r = 0; r < part.m; r++)
            for (uint32_t j = 0; j < columns; j++)
                wide[r * LANES + j] = g->add   ? t.c[(row + r) * g->ldc + j]
                                      : t.bias ? t.bias[j]
                                               : 0.0f;
        tile_column((struct tile){wide, t.a + row * row_step, t.b, NULL}, &part, 1, transposed);
        for (uint32_t r = 0; r < part.m; r++)
            for (uint32_t j = 0; j < columns; j++)
                t.c[(row + r) * g->ldc + j] = wide[r * LANES + j];
    }
}

/* The last columns, fewer than a vector, of a product in one part. */
static void narrow_part(struct tile t, const struct gemm *g, uint32_t columns, bool transposed)
{
    float panel[PANEL_K * LANES];
    struct gemm part = *g;
    size_t k_step = transposed ? g->lda : 1;
    uint32_t p = 0;

    part.ldb = LANES;
    do {
        struct tile at = {t.c, t.a + p * k_step, panel, t.bias};
        uint32_t left = g->groups;

        part.k = g->k - p < PANEL_K ? g->k - p : PANEL_K;
        memset(panel, 0, sizeof panel);
        for (uint32_t q = 0; q < part.k; q++)
            for (uint32_t j = 0; j < columns; j++)
                panel[q * LANES + j] = t.b[(p + q) * g->ldb + j];
        do {
            narrow_rows(at, &part, columns, transposed);
            at.a += g->a_group;
            at.c += g->c_group;
        } while (left-- > 1);
        part.add = true;
        p += part.k;
    } while (p < g->k);
}

static void narrow_column(struct tile t, const struct gemm *g, uint32_t columns, bool transposed)
{
    struct gemm part = *g;

    part.parts = 1;
    for (uint32_t i = 0; i < g->parts; i++) {
        narrow_part(t, &part, columns, transposed);
        part.add = true;
        t.a += g->a_part;
        t.b += g->k * g->ldb;
    }
}

/* Moves a tile to the right by the width of columns. */
INLINE void tile_right(struct tile *t, size_t columns)
{
    t->b += columns;
    t->c += columns;
    t->bias = t->bias ? t->bias + columns : NULL;
}

/* Columns first: the columns of b in use are read again for every block of rows. */
static void by_columns(struct tile t, const struct gemm *g, bool transposed)
{
    uint32_t left = g->n;

    for (; left >= 2 * LANES; left -= 2 * LANES) {
        tile_groups(t, g, 2, transposed);
        tile_right(&t, 2 * LANES);
    }
    if (left >= LANES) {
        tile_groups(t, g, 1, transposed);
        tile_right(&t, LANES);
        left -= LANES;
    }
    if (left > 0)
        narrow_column(t, g, left, transposed);
}

/* Rows first, for products in one group whose sums are short. */
static void by_rows(struct tile t, const struct gemm *g, bool transposed)
{
    const size_t row_step = row_step_of(g, transposed);
    const uint32_t most = rows_most(2), wide = g->n / (2 * LANES) * (2 * LANES);
    struct tile rest = t;
    struct gemm narrow = *g;

    for (uint32_t parts = (g->m + most - 1) / most, left = g->m; wide > 0 && parts > 0; parts--) {
        uint32_t rows = (left + parts - 1) / parts;
        struct tile at = t;

        for (uint32_t column = 0; column < wide; column += 2 * LANES) {
            tile_pick(&at, g, rows, 2, transposed);
            tile_right(&at, 2 * LANES);
        }
        t.a += rows * row_step;
        t.c += rows * g->ldc;
        left -= rows;
    }
    narrow.n = g->n - wide;
    tile_right(&rest, wide);
    by_columns(rest, &narrow, transposed);
}

/* Cuts sums deeper than DEPTH: into whole parts where these are short, else within each part. */
static void gemm_run(struct tile t, const struct gemm *g, bool transposed)
{
    const uint32_t together = g->k > 0 && g->k < DEPTH ? DEPTH / g->k : 1;
    const size_t k_step = transposed ? g->lda : 1;
    struct gemm block = *g;

    if ((size_t)g->k * g->parts <= SHORT_SUM && g->groups <= 1) {
        by_rows(t, g, transposed);
        return;
    }
    for (uint32_t part = 0; part < g->parts; part += together) {
        const float *a = t.a + part * g->a_part;
        uint32_t k = 0;

        block.parts = g->parts - part < together ? g->parts - part : together;
        do {
            block.k = together == 1 && g->k - k > DEPTH + DEPTH / 2 ? DEPTH : g->k - k;
            by_columns((struct tile){t.c, a + k * k_step, t.b, t.bias}, &block, transposed);
            t.b += (size_t)block.parts * block.k * g->ldb;
            block.add = true;
            t.bias = NULL;
            k += block.k;
        } while (k < g->k);
    }
}

static void gemm_nn_fast(float *c, const float *a, const float *b, const struct gemm *g)
{
    gemm_run((struct tile){c, a, b, g->bias}, g, false);
}

static void gemm_tn_fast(float *c, const float *a, const float *b, const struct gemm *g)
{
    gemm_run((struct tile){c, a, b, g->bias}, g, true);
}

/* One panel of b, its columns [0, columns) turned over into panel, times all rows of a. */
static void panel_times(struct tile t, const struct gemm *g, uint32_t columns)
{
    if (columns == 2 * LANES) {
        tile_column(t, g, 2, false);
        return;
    }
    if (columns >= LANES) {
        tile_column(t, g, 1, false);
        tile_right(&t, LANES);
        columns -= LANES;
    }
    if (columns > 0)
        narrow_rows(t, g, columns, false);
}

static void gemm_nt_fast(float *c, const float *a, const float *b, const struct gemm *g)
{
    float panel[DEPTH * 2 * LANES] __attribute__((aligned(64)));
    struct gemm block = *g;

    block.ldb = 2 * LANES;
    block.parts = 1;
    for (uint32_t column = 0; column < g->n; column += 2 * LANES) {
        uint32_t columns = g->n - column < 2 * LANES ? g->n - column : 2 * LANES, k = 0;
        const float *rows = b + column * g->ldb;
        struct tile t = {c + column, a, panel, g->bias ? g->bias + column : NULL};

        block.add = g->add;
        do {
            block.k = g->k - k < DEPTH ? g->k - k : DEPTH;
            turn_panel(panel, 2 * LANES, rows + k, g->ldb, columns < LANES ? columns : LANES,
                       block.k);
            if (columns > LANES)
                turn_panel(panel + LANES, 2 * LANES, rows + LANES * g->ldb + k, g->ldb,
                           columns - LANES, block.k);
            panel_times(t, &block, columns);
            block.add = true;
            t.bias = NULL;
            t.a += block.k;
            k += block.k;
        } while (k < g->k);
    }
}
