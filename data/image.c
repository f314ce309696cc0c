/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding by libpng and libjpeg-turbo; scaling and cutting here. */
#include "data/image.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <turbojpeg.h>

#include "base/file.h"

static enum cn_err refuse(const char *path, const char *kind, const char *words,
                          struct cn_diag *diag)
{
    cn_diag_set(diag, path, 0, 0, "the %s is damaged: %s", kind, words);
    cn_diag_hint(diag, "replace the file or take it out of the folder");
    return CN_E_DATA;
}

/* Sets the size and makes room for it. */
static enum cn_err make_room(struct image *image, uint64_t width, uint64_t height, const char *path,
                             struct cn_diag *diag)
{
    if (width == 0 || height == 0 || width > IMAGE_PIXELS_MAX || height > IMAGE_PIXELS_MAX ||
        width * height > IMAGE_PIXELS_MAX) {
        cn_diag_set(diag, path, 0, 0, "%llu x %llu pixels; 1 to %zu in all",
                    (unsigned long long)width, (unsigned long long)height, IMAGE_PIXELS_MAX);
        return CN_E_TOO_LARGE;
    }
    image->width = (uint32_t)width;
    image->height = (uint32_t)height;
    image->rgb = malloc((size_t)width * (size_t)height * 3);
    return image->rgb ? CN_OK : CN_E_NOMEM;
}

/* Transparent parts become black. */
static enum cn_err decode_png(struct image *image, const struct cn_buf *file, const char *path,
                              struct cn_diag *diag)
{
    static const png_color black = {0, 0, 0};
    png_image png = {.version = PNG_IMAGE_VERSION};
    enum cn_err err = CN_OK;

    if (!png_image_begin_read_from_memory(&png, file->data, file->len))
        err = refuse(path, "PNG", png.message, diag);
    if (err == CN_OK)
        err = make_room(image, png.width, png.height, path, diag);
    png.format = PNG_FORMAT_RGB;
    if (err == CN_OK && !png_image_finish_read(&png, &black, image->rgb, 0, NULL))
        err = refuse(path, "PNG", png.message, diag);
    png_image_free(&png);
    return err;
}

static enum cn_err decode_jpeg(struct image *image, const struct cn_buf *file, const char *path,
                               struct cn_diag *diag)
{
    tjhandle handle = tjInitDecompress();
    int width = 0, height = 0, sampling = 0, space = 0;
    enum cn_err err = CN_OK;

    if (!handle)
        return CN_E_NOMEM;
    if (tjDecompressHeader3(handle, file->data, (unsigned long)file->len, &width, &height,
                            &sampling, &space) != 0 ||
        width < 0 || height < 0)
        err = refuse(path, "JPEG", tjGetErrorStr2(handle), diag);
    if (err == CN_OK)
        err = make_room(image, (uint64_t)width, (uint64_t)height, path, diag);
    if (err == CN_OK &&
        tjDecompress2(handle, file->data, (unsigned long)file->len, image->rgb, width, 0, height,
                      TJPF_RGB, TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT) != 0)
        err = refuse(path, "JPEG", tjGetErrorStr2(handle), diag);
    (void)tjDestroy(handle);
    return err;
}

enum cn_err image_load(struct image *image, const char *path, struct cn_diag *diag)
{
    static const uint8_t png_mark[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    static const uint8_t jpeg_mark[3] = {0xff, 0xd8, 0xff};
    struct cn_buf file;
    enum cn_err err;

    *image = (struct image){0};
    err = cn_file_read(&file, path, IMAGE_FILE_BYTES_MAX, diag);
    if (err == CN_OK && file.len >= sizeof png_mark &&
        memcmp(file.data, png_mark, sizeof png_mark) == 0) {
        err = decode_png(image, &file, path, diag);
    } else if (err == CN_OK && file.len >= sizeof jpeg_mark &&
               memcmp(file.data, jpeg_mark, sizeof jpeg_mark) == 0) {
        err = decode_jpeg(image, &file, path, diag);
    } else if (err == CN_OK) {
        cn_diag_set(diag, path, 0, 0, "is neither PNG nor JPEG");
        cn_diag_hint(diag, "the folders of classes hold images only");
        err = CN_E_DATA;
    }
    cn_buf_clear(&file);
    if (err != CN_OK)
        image_free(image);
    return err;
}

void image_free(struct image *image)
{
    free(image->rgb);
    *image = (struct image){0};
}

/* The pixels of one axis that make one pixel of the result, and their weights. */
struct taps {
    double centre;
    double reach; /* the triangle's half width: at least one pixel */
    int64_t from, to;
};

static struct taps taps_of(double start, double step, uint32_t i, uint32_t size)
{
    struct taps taps = {.centre = start + (i + 0.5) * step, .reach = step > 1 ? step : 1};

    taps.from = (int64_t)floor(taps.centre - taps.reach);
    taps.to = (int64_t)ceil(taps.centre + taps.reach);
    taps.from = taps.from > 0 ? taps.from : 0;
    taps.to = taps.to < size ? taps.to : size;
    return taps;
}

static double weight(const struct taps *taps, int64_t at)
{
    double off = 1 - fabs((double)at + 0.5 - taps->centre) / taps->reach;

    return off > 0 ? off : 0;
}

static void mix_pixels(double rgb[3], const struct image *image, const struct taps *rows,
                       const struct taps *columns)
{
    double total = 0;

    rgb[0] = rgb[1] = rgb[2] = 0;
    for (int64_t y = rows->from; y < rows->to; y++) {
        const uint8_t *row = image->rgb + (size_t)y * image->width * 3;
        double down = weight(rows, y);

        for (int64_t x = columns->from; x < columns->to; x++) {
            double w = down * weight(columns, x);

            total += w;
            for (int c = 0; c < 3; c++)
                rgb[c] += w * row[3 * x + c];
        }
    }
    for (int c = 0; c < 3; c++)
        rgb[c] /= total * 255;
}

void image_fit(float *out, const struct image *image, const struct image_shape *shape)
{
    double across = (double)image->width / shape->width;
    double down = (double)image->height / shape->height;
    double step = across < down ? across : down;
    double left = (image->width - step * shape->width) / 2;
    double top = (image->height - step * shape->height) / 2;
    size_t plane = (size_t)shape->height * shape->width;

    CN_ASSERT(shape->channels == 1 || shape->channels == 3);
    for (uint32_t y = 0; y < shape->height; y++) {
        struct taps rows = taps_of(top, step, y, image->height);

        for (uint32_t x = 0; x < shape->width; x++) {
            struct taps columns = taps_of(left, step, x, image->width);
            float *to = out + (size_t)y * shape->width + x;
            double rgb[3];

            mix_pixels(rgb, image, &rows, &columns);
            if (shape->channels == 1)
                rgb[0] = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
            for (uint32_t c = 0; c < shape->channels; c++)
                to[c * plane] = (float)((rgb[c] - shape->mean) / shape->deviation);
        }
    }
}
