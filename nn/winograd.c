/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of images to planes and back, and the products between. */
#include "nn/winograd.h"

#include <string.h>

#include "nn/winograd_matrices.h"

#define CHANNELS_STEP 16u                   /* what the kernels take at a time */
#define PACKED_FLOATS_MAX ((size_t)1 << 22) /* beyond, products wait for weights from memory */
#define GAIN_MIN 1.5                        /* multiplications saved must pay for the transforms */
#define SIDE 4u                             /* places of a tile's outputs along one side */
#define TILES_WISH 16u /* fewer would not fill the rows that a product takes at a time */

/* An image [height, width, channels]. */
struct image {
    uint32_t height, width, channels;
};

static size_t tiles_of(const struct winograd *wino)
{
    return (size_t)wino->rows * wino->columns;
}

/* An odd number of cache lines, so that the planes of one place do not all fall into one set. */
static size_t plane_of(size_t count)
{
    return count | CHANNELS_STEP;
}

static size_t planes_of(const struct winograd *wino, size_t channels)
{
    return (size_t)wino->n * wino->n * plane_of(wino->together * tiles_of(wino) * channels);
}

static size_t tile_buffer(const struct winograd *wino)
{
    const struct window *w = &wino->window;
    const size_t most = w->channels > wino->filters ? w->channels : wino->filters;

    return (size_t)WINO_N_MAX * WINO_N_MAX * most;
}

bool winograd_plan(struct winograd *out, const struct window *window, uint32_t filters)
{
    const struct window *w = window;
    const bool wide = w->kernel == 5;
    struct winograd wino = {.window = *window,
                            .filters = filters,
                            .n = wide ? 8 : 6,
                            .a = wide ? WINO_MATRIX_A84 : WINO_MATRIX_A64,
                            .b = wide ? WINO_MATRIX_B8 : WINO_MATRIX_B6,
                            .g = wide ? WINO_MATRIX_G85 : WINO_MATRIX_G63,
                            .rows = (w->out_height + SIDE - 1) / SIDE,
                            .columns = (w->out_width + SIDE - 1) / SIDE};
    double direct, products;

    if (w->stride != 1 || (w->kernel != 3 && w->kernel != 5) || w->channels % CHANNELS_STEP != 0 ||
        filters % CHANNELS_STEP != 0)
        return false;
    wino.together = (uint32_t)((TILES_WISH + tiles_of(&wino) - 1) / tiles_of(&wino));
    direct = (double)w->out_height * w->out_width * w->kernel * w->kernel;
    products = (double)tiles_of(&wino) * wino.n * wino.n;
    if (direct < GAIN_MIN * products || winograd_packed(&wino) > PACKED_FLOATS_MAX)
        return false;
    *out = wino;
    return true;
}

size_t winograd_packed(const struct winograd *wino)
{
    return (size_t)wino->n * wino->n * plane_of((size_t)wino->window.channels * wino->filters);
}

size_t winograd_scratch(const struct winograd *wino)
{
    return tile_buffer(wino) + planes_of(wino, wino->window.channels) +
           planes_of(wino, wino->filters) + winograd_packed(wino);
}

void winograd_pack(const struct winograd *wino, const struct kernels *kernels, float *packed,
                   const float *weights)
{
    const size_t all = (size_t)wino->window.channels * wino->filters;
    const struct wino_tile tile = {.matrix = wino->g,
                                   .channels = all,
                                   .row = wino->window.kernel * all,
                                   .column = all,
                                   .plane = plane_of(all)};

    kernels->wino_spread(packed, weights, &tile);
}

void winograd_pack_back(const struct winograd *wino, const struct kernels *kernels, float *packed,
                        const float *weights)
{
    const size_t channels = wino->window.channels, kernel = wino->window.kernel;
    const struct wino_tile tile = {.matrix = wino->g,
                                   .channels = channels,
                                   .row = kernel * channels,
                                   .column = channels,
                                   .plane = plane_of(channels * wino->filters)};

    for (size_t f = 0; f < wino->filters; f++)
        kernels->wino_spread(packed + f * channels, weights + f * kernel * kernel * channels,
                             &tile);
}

/* The part of a tile of side q at `at` (which may be negative) that lies in [0, size). */
struct part {
    uint32_t from, to;
};

static struct part part_of(int64_t at, uint32_t q, uint32_t size)
{
    const int64_t end = (int64_t)size - at;
    struct part part = {at < 0 ? (uint32_t)-at : 0, end < q ? (uint32_t)(end > 0 ? end : 0) : q};

    if (part.from > part.to)
        part.from = part.to;
    return part;
}

/* One tile of side q whose first place is (y, x) of an image, all of it inside or not. */
struct place {
    struct part down, across;
    bool inside;
    ptrdiff_t at; /* where the tile starts, counted as if the image went on */
    size_t row;   /* floats of one row of the image */
};

static struct place place_of(const struct image *image, uint32_t q, int64_t y, int64_t x)
{
    struct place place = {part_of(y, q, image->height), part_of(x, q, image->width), false, 0,
                          (size_t)image->width * image->channels};

    place.inside = place.down.from == 0 && place.down.to == q && place.across.from == 0 &&
                   place.across.to == q;
    place.at = (ptrdiff_t)((y * image->width + x) * image->channels);
    return place;
}

/* Copies a tile with zeros around the image into buffer [q, q, channels]. */
static void tile_from(float *buffer, const float *pixels, const struct image *image, uint32_t q,
                      const struct place *p)
{
    const size_t c = image->channels;

    memset(buffer, 0, (size_t)q * q * c * sizeof *buffer);
    for (uint32_t i = p->down.from; i < p->down.to; i++)
        memcpy(buffer + ((size_t)i * q + p->across.from) * c,
               pixels + p->at + (ptrdiff_t)(i * p->row + p->across.from * c),
               (p->across.to - p->across.from) * c * sizeof *buffer);
}

/* Copies, or adds, the part of buffer [q, q, channels] that lies in the image. */
static void tile_to(float *pixels, const float *buffer, const struct image *image, uint32_t q,
                    const struct place *p, const struct kernels *kernels, bool add)
{
    const size_t c = image->channels, run = (p->across.to - p->across.from) * c;

    for (uint32_t i = p->down.from; i < p->down.to; i++) {
        float *to = pixels + p->at + (ptrdiff_t)(i * p->row + p->across.from * c);
        const float *from = buffer + ((size_t)i * q + p->across.from) * c;

        if (add)
            kernels->add_scaled(to, from, 1.0f, run);
        else
            memcpy(to, from, run * sizeof *to);
    }
}

/* How the tiles of one image are walked through: tiles of side q, each step * step further, the
 * first one `before` places outside. */
struct walk {
    struct image image;
    uint32_t q;
    uint32_t before;
    enum wino_matrix matrix;
    const float *bias; /* on the way back; or add */
    bool add;
};

static struct wino_tile tile_at(const struct walk *walk, const struct place *p, size_t plane)
{
    const size_t c = walk->image.channels;

    return (struct wino_tile){.matrix = walk->matrix,
                              .channels = c,
                              .row = p->inside ? p->row : walk->q * c,
                              .column = c,
                              .plane = plane,
                              .bias = walk->bias,
                              .add = p->inside && walk->add};
}

/* Transforms count images into planes [n * n][count * tiles, channels]. */
static void spread(const struct winograd *wino, const struct kernels *kernels, float *planes,
                   const float *images, const struct walk *walk, uint32_t count, float *buffer)
{
    const struct image *image = &walk->image;
    const size_t plane = plane_of(count * tiles_of(wino) * image->channels);

    for (uint32_t b = 0; b < count;
         b++, images += (size_t)image->height * image->width * image->channels) {
        for (uint32_t t = 0; t < wino->rows * wino->columns; t++, planes += image->channels) {
            const struct place p =
                place_of(image, walk->q, (int64_t)(t / wino->columns * SIDE) - walk->before,
                         (int64_t)(t % wino->columns * SIDE) - walk->before);
            const struct wino_tile tile = tile_at(walk, &p, plane);

            if (!p.inside)
                tile_from(buffer, images, image, walk->q, &p);
            kernels->wino_spread(planes, p.inside ? images + p.at : buffer, &tile);
        }
    }
}

static void gather(const struct winograd *wino, const struct kernels *kernels, float *images,
                   const float *planes, const struct walk *walk, uint32_t count, float *buffer)
{
    const struct image *image = &walk->image;
    const size_t plane = plane_of(count * tiles_of(wino) * image->channels);

    for (uint32_t b = 0; b < count;
         b++, images += (size_t)image->height * image->width * image->channels) {
        for (uint32_t t = 0; t < wino->rows * wino->columns; t++, planes += image->channels) {
            const struct place p =
                place_of(image, walk->q, (int64_t)(t / wino->columns * SIDE) - walk->before,
                         (int64_t)(t % wino->columns * SIDE) - walk->before);
            const struct wino_tile tile = tile_at(walk, &p, plane);

            kernels->wino_gather(p.inside ? images + p.at : buffer, planes, &tile);
            if (!p.inside)
                tile_to(images, buffer, image, walk->q, &p, kernels, walk->add);
        }
    }
}

static struct walk walk_x(const struct winograd *wino)
{
    const struct window *w = &wino->window;

    return (struct walk){.image = {w->in_height, w->in_width, w->channels},
                         .q = wino->n,
                         .before = w->padding,
                         .matrix = wino->b};
}

static struct walk walk_y(const struct winograd *wino)
{
    const struct window *w = &wino->window;

    return (struct walk){
        .image = {w->out_height, w->out_width, wino->filters}, .q = SIDE, .matrix = wino->a};
}

static size_t floats_of(const struct image *image)
{
    return (size_t)image->height * image->width * image->channels;
}

/* Where one call's buffers lie in scratch. */
struct rooms {
    float *buffer; /* of a tile at the border */
    float *x, *y;  /* planes */
    float *packed; /* a gradient before it is transformed back */
};

static struct rooms rooms_of(const struct winograd *wino, float *scratch)
{
    struct rooms rooms = {.buffer = scratch};

    rooms.x = rooms.buffer + tile_buffer(wino);
    rooms.y = rooms.x + planes_of(wino, wino->window.channels);
    rooms.packed = rooms.y + planes_of(wino, wino->filters);
    return rooms;
}

/* c = a b, plane by plane: a [rows, k], b [k, columns]. */
static void multiply(const struct winograd *wino, const struct kernels *kernels, float *c,
                     const float *a, const float *b, const struct gemm *g)
{
    const size_t a_plane = plane_of((size_t)g->m * g->k), b_plane = plane_of((size_t)g->k * g->n);
    const size_t c_plane = plane_of((size_t)g->m * g->n);

    for (uint32_t i = 0; i < wino->n * wino->n; i++)
        kernels->gemm_nn(c + i * c_plane, a + i * a_plane, b + i * b_plane, g);
}

static uint32_t at_once(const struct winograd *wino, uint32_t left)
{
    return left < wino->together ? left : wino->together;
}

void winograd_forward(const struct winograd *wino, const struct kernels *kernels, float *y,
                      const float *x, const float *packed, const float *bias, uint32_t n,
                      float *scratch)
{
    const struct rooms rooms = rooms_of(wino, scratch);
    const struct walk in = walk_x(wino);
    struct walk out = walk_y(wino);
    struct gemm g = {.n = wino->filters,
                     .k = wino->window.channels,
                     .parts = 1,
                     .lda = wino->window.channels,
                     .ldb = wino->filters,
                     .ldc = wino->filters};

    out.bias = bias;
    for (uint32_t done = 0, count; done < n; done += count) {
        count = at_once(wino, n - done);
        g.m = (uint32_t)(count * tiles_of(wino));
        spread(wino, kernels, rooms.x, x + done * floats_of(&in.image), &in, count, rooms.buffer);
        multiply(wino, kernels, rooms.y, rooms.x, packed, &g);
        gather(wino, kernels, y + done * floats_of(&out.image), rooms.y, &out, count, rooms.buffer);
    }
}

void winograd_backward(const struct winograd *wino, const struct kernels *kernels, float *dx,
                       const float *dy, const float *packed_back, uint32_t n, float *scratch)
{
    const struct rooms rooms = rooms_of(wino, scratch);
    const struct walk out = walk_y(wino);
    struct walk in = walk_x(wino);
    struct gemm g = {.n = wino->window.channels,
                     .k = wino->filters,
                     .parts = 1,
                     .lda = wino->filters,
                     .ldb = wino->window.channels,
                     .ldc = wino->window.channels};

    in.add = true;
    memset(dx, 0, n * floats_of(&in.image) * sizeof *dx);
    for (uint32_t done = 0, count; done < n; done += count) {
        count = at_once(wino, n - done);
        g.m = (uint32_t)(count * tiles_of(wino));
        spread(wino, kernels, rooms.y, dy + done * floats_of(&out.image), &out, count,
               rooms.buffer);
        multiply(wino, kernels, rooms.x, rooms.y, packed_back, &g);
        gather(wino, kernels, dx + done * floats_of(&in.image), rooms.x, &in, count, rooms.buffer);
    }
}

void winograd_gradient(const struct winograd *wino, const struct kernels *kernels, float *out,
                       const float *x, const float *dy, uint32_t n, bool add, float *scratch)
{
    const struct rooms rooms = rooms_of(wino, scratch);
    const struct walk in = walk_x(wino), back = walk_y(wino);
    const size_t channels = wino->window.channels, all = channels * wino->filters;
    const struct wino_tile tile = {.matrix = wino->g,
                                   .channels = all,
                                   .row = wino->window.kernel * all,
                                   .column = all,
                                   .plane = plane_of(all),
                                   .add = add};
    struct gemm g = {.m = (uint32_t)channels,
                     .n = wino->filters,
                     .parts = 1,
                     .lda = channels,
                     .ldb = wino->filters,
                     .ldc = wino->filters};

    for (uint32_t done = 0, count; done < n; done += count) {
        count = at_once(wino, n - done);
        g.k = (uint32_t)(count * tiles_of(wino));
        g.add = done > 0;
        spread(wino, kernels, rooms.x, x + done * floats_of(&in.image), &in, count, rooms.buffer);
        spread(wino, kernels, rooms.y, dy + done * floats_of(&back.image), &back, count,
               rooms.buffer);
        for (uint32_t i = 0; i < wino->n * wino->n; i++)
            kernels->gemm_tn(rooms.packed + i * plane_of(all),
                             rooms.x + i * plane_of(g.k * channels),
                             rooms.y + i * plane_of((size_t)g.k * wino->filters), &g);
    }
    kernels->wino_gather(out, rooms.packed, &tile);
}
