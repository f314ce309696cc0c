/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of one example, plane by plane. */
#include "data/augment.h"

#include <math.h>
#include <string.h>

#define PIXELS_MAX 4096u
#define STRENGTH_MAX 1000.0
#define PI 3.14159265358979323846

bool augment_alone(const struct augment_options *options)
{
    return options->shift || options->crop || options->flip > 0 || options->flip_up > 0 ||
           options->rotate > 0 || options->brightness > 0 || options->noise > 0 ||
           options->cut_out > 0;
}

bool augment_any(const struct augment_options *options)
{
    return augment_alone(options) || options->mix_up > 0;
}

static enum cn_err refuse(struct cn_diag *diag, const char *name, const char *expected)
{
    cn_diag_set(diag, NULL, 0, 0, "'%s': expected %s", name, expected);
    return CN_E_CONFIG;
}

/* One option that is a real number. */
struct real {
    const char *name;
    double value;
    double max;
    const char *expected;
};

static enum cn_err check_reals(const struct augment_options *options, struct cn_diag *diag)
{
    const struct real reals[] = {
        {"flip", options->flip, 1, "a probability"},
        {"flip_up", options->flip_up, 1, "a probability"},
        {"cut_out", options->cut_out, 1, "a probability"},
        {"rotate", options->rotate, 180, "degrees from 0 to 180"},
        {"brightness", options->brightness, STRENGTH_MAX, "a number from 0 to 1000"},
        {"noise", options->noise, STRENGTH_MAX, "a deviation from 0 to 1000"},
        {"mix_up", options->mix_up, STRENGTH_MAX, "alpha, a number from 0 to 1000"},
    };

    for (size_t i = 0; i < CN_COUNT(reals); i++)
        if (!(reals[i].value >= 0 && reals[i].value <= reals[i].max))
            return refuse(diag, reals[i].name, reals[i].expected);
    if (options->mix_up > 0 && options->mix_up < 0.01)
        return refuse(diag, "mix_up", "alpha of at least 0.01");
    return CN_OK;
}

enum cn_err augment_check(const struct augment_options *options, const struct augment_shape *shape,
                          struct cn_diag *diag)
{
    uint32_t side = shape->height < shape->width ? shape->height : shape->width;
    bool moves = options->shift || options->crop || options->flip > 0 || options->flip_up > 0 ||
                 options->rotate > 0 || options->cut_out > 0;

    CN_TRY(check_reals(options, diag));
    if (moves && shape->height == 1)
        return refuse(diag, "augment", "noise, brightness or mix_up only: examples are no images");
    if (options->shift && options->shift >= side)
        return refuse(diag, "shift", "fewer pixels than the image's smaller side");
    if (options->crop > PIXELS_MAX || (options->crop && options->crop >= side))
        return refuse(diag, "crop", "fewer pixels than the image's smaller side");
    if ((options->cut_out > 0) != (options->cut_out_size > 0))
        return refuse(diag, "cut_out", "'cut_out' and 'cut_out_size' together");
    if (options->cut_out_size > side)
        return refuse(diag, "cut_out_size", "at most the image's smaller side");
    return CN_OK;
}

size_t augment_scratch(const struct augment_shape *shape)
{
    return (size_t)shape->height * shape->width;
}

static void mirror_rows(float *plane, const struct augment_shape *shape)
{
    for (uint32_t y = 0; y < shape->height; y++) {
        float *row = plane + (size_t)y * shape->width;

        for (uint32_t a = 0, b = shape->width - 1; a < b; a++, b--) {
            float kept = row[a];

            row[a] = row[b];
            row[b] = kept;
        }
    }
}

static void mirror_columns(float *plane, float *scratch, const struct augment_shape *shape)
{
    size_t bytes = shape->width * sizeof *plane;

    for (uint32_t a = 0, b = shape->height - 1; a < b; a++, b--) {
        float *upper = plane + (size_t)a * shape->width;
        float *lower = plane + (size_t)b * shape->width;

        memcpy(scratch, upper, bytes);
        memcpy(upper, lower, bytes);
        memcpy(lower, scratch, bytes);
    }
}

/* The plane moved down and to the right, by less than its size; zeros move in. */
static void move(float *plane, float *scratch, const struct augment_shape *shape, int64_t down,
                 int64_t right)
{
    int64_t height = shape->height, width = shape->width;
    int64_t from = right > 0 ? 0 : -right, to = right > 0 ? right : 0;
    size_t bytes = (size_t)(width - from - to) * sizeof *plane;

    memcpy(scratch, plane, (size_t)(height * width) * sizeof *plane);
    memset(plane, 0, (size_t)(height * width) * sizeof *plane);
    for (int64_t y = 0; y < height; y++)
        if (y - down >= 0 && y - down < height)
            memcpy(plane + y * width + to, scratch + (y - down) * width + from, bytes);
}

static float pixel(const float *plane, const struct augment_shape *shape, int64_t y, int64_t x)
{
    return y < 0 || x < 0 || y >= shape->height || x >= shape->width ? 0.0f
                                                                     : plane[y * shape->width + x];
}

/* Turns around the middle, each pixel from four of the old ones. */
static void turn(float *plane, float *scratch, const struct augment_shape *shape, double angle)
{
    double sine = sin(angle), cosine = cos(angle);
    double middle_y = (shape->height - 1) / 2.0, middle_x = (shape->width - 1) / 2.0;

    memcpy(scratch, plane, augment_scratch(shape) * sizeof *plane);
    for (uint32_t y = 0; y < shape->height; y++) {
        for (uint32_t x = 0; x < shape->width; x++) {
            double from_y = middle_y + cosine * (y - middle_y) - sine * (x - middle_x);
            double from_x = middle_x + sine * (y - middle_y) + cosine * (x - middle_x);
            int64_t top = (int64_t)floor(from_y), left = (int64_t)floor(from_x);
            float v = (float)(from_y - (double)top), u = (float)(from_x - (double)left);

            plane[(size_t)y * shape->width + x] =
                (1 - v) * ((1 - u) * pixel(scratch, shape, top, left) +
                           u * pixel(scratch, shape, top, left + 1)) +
                v * ((1 - u) * pixel(scratch, shape, top + 1, left) +
                     u * pixel(scratch, shape, top + 1, left + 1));
        }
    }
}

static void cut(float *plane, const struct augment_shape *shape, int64_t top, int64_t left,
                uint32_t size)
{
    for (int64_t y = top; y < top + size; y++)
        for (int64_t x = left; x < left + size; x++)
            if (y >= 0 && x >= 0 && y < shape->height && x < shape->width)
                plane[y * shape->width + x] = 0;
}

/* Uniform in -most .. most. */
static int64_t draw_offset(uint32_t most, const struct cn_random *random)
{
    return (int64_t)cn_random_below(random, 2 * (uint64_t)most + 1) - most;
}

/* What is drawn once for all channels. */
struct draws {
    bool flip, flip_up, cut;
    double angle;
    int64_t down, right; /* shift and crop; each stays below the image's size */
    int64_t crop_down, crop_right;
    int64_t top, left; /* of the square that is cut out */
    double brightness;
};

/* Every option that is set draws, whatever comes of it. */
static struct draws draw(const struct augment_options *options, const struct augment_shape *shape,
                         const struct cn_random *random)
{
    struct draws draws = {0};

    if (options->flip > 0)
        draws.flip = cn_random_unit(random) < options->flip;
    if (options->flip_up > 0)
        draws.flip_up = cn_random_unit(random) < options->flip_up;
    if (options->rotate > 0)
        draws.angle = (2 * cn_random_unit(random) - 1) * options->rotate * PI / 180;
    if (options->shift) {
        draws.down = draw_offset(options->shift, random);
        draws.right = draw_offset(options->shift, random);
    }
    if (options->crop) { /* a window of a padded image is the image, moved */
        draws.crop_down = draw_offset(options->crop, random);
        draws.crop_right = draw_offset(options->crop, random);
    }
    if (options->brightness > 0)
        draws.brightness = (2 * cn_random_unit(random) - 1) * options->brightness;
    if (options->cut_out > 0) {
        draws.cut = cn_random_unit(random) < options->cut_out;
        draws.top = (int64_t)cn_random_below(random, shape->height) - options->cut_out_size / 2;
        draws.left = (int64_t)cn_random_below(random, shape->width) - options->cut_out_size / 2;
    }
    return draws;
}

static void change_plane(float *plane, float *scratch, const struct draws *draws,
                         const struct augment_shape *shape)
{
    if (draws->flip)
        mirror_rows(plane, shape);
    if (draws->flip_up)
        mirror_columns(plane, scratch, shape);
    if (draws->angle != 0)
        turn(plane, scratch, shape, draws->angle);
    if (draws->down || draws->right)
        move(plane, scratch, shape, draws->down, draws->right);
    if (draws->crop_down || draws->crop_right)
        move(plane, scratch, shape, draws->crop_down, draws->crop_right);
}

void augment_example(float *x, float *scratch, const struct augment_options *options,
                     const struct augment_shape *shape, const struct cn_random *random)
{
    struct draws draws = draw(options, shape, random);
    size_t plane = augment_scratch(shape), values = plane * shape->channels;

    for (uint32_t c = 0; c < shape->channels; c++)
        change_plane(x + c * plane, scratch, &draws, shape);
    for (size_t i = 0; draws.brightness != 0 && i < values; i++)
        x[i] += (float)draws.brightness;
    for (size_t i = 0; options->noise > 0 && i < values; i++)
        x[i] += (float)(options->noise * cn_random_normal(random));
    for (uint32_t c = 0; draws.cut && c < shape->channels; c++)
        cut(x + c * plane, shape, draws.top, draws.left, options->cut_out_size);
}

/* A gamma variate's logarithm: small alphas give values below what a double holds. Source:
 * Marsaglia, Tsang 2000. */
static double gamma_log(double alpha, const struct cn_random *random)
{
    double d = alpha + 1 - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);

    for (;;) {
        double x = cn_random_normal(random), v = 1.0 + c * x;

        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(1.0 - cn_random_unit(random)) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v) + log(1.0 - cn_random_unit(random)) / alpha;
    }
}

double augment_mix_share(double alpha, const struct cn_random *random)
{
    double a = gamma_log(alpha, random), b = gamma_log(alpha, random);

    return 1 / (1 + exp(b - a));
}

void augment_mix(float *x, const float *other, double share, size_t count)
{
    float a = (float)share, b = 1.0f - a;

    for (size_t i = 0; i < count; i++)
        x[i] = a * x[i] + b * other[i];
}
