/* SPDX-License-Identifier: Apache-2.0 */
#include "data/image_folder.h"

#include <math.h>
#include <sys/stat.h>

#include <png.h>
#include <turbojpeg.h>

#include "data/image.h"
#include "scratch.h"

TestSuite(image_folder, .init = scratch_make, .fini = scratch_remove);

static void folder(const char *name)
{
    cr_assert_eq(mkdir(scratch_path(name), 0700), 0);
}

/* Writes width x height pixels of channels bytes. */
static const char *png(const char *name, const uint8_t *pixels, unsigned width, unsigned height,
                       unsigned channels)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = width,
                       .height = height,
                       .format = channels == 1   ? PNG_FORMAT_GRAY
                                 : channels == 3 ? PNG_FORMAT_RGB
                                                 : PNG_FORMAT_RGBA};
    const char *path = scratch_path(name);

    cr_assert(png_image_write_to_file(&image, path, 0, pixels, 0, NULL));
    return path;
}

/* A JPEG of one colour, which its lossy transform keeps within 2. */
static const char *jpeg(const char *name, const uint8_t rgb[3], int width, int height)
{
    uint8_t *pixels = malloc((size_t)(3 * width * height));
    unsigned char *out = NULL;
    unsigned long len = 0;
    tjhandle handle = tjInitCompress();
    const char *path;

    for (int i = 0; i < width * height; i++)
        memcpy(pixels + 3 * i, rgb, 3);
    cr_assert_eq(
        tjCompress2(handle, pixels, width, 0, height, TJPF_RGB, &out, &len, TJSAMP_444, 95, 0), 0);
    path = scratch_file(name, out, len);
    tjFree(out);
    tjDestroy(handle);
    free(pixels);
    return path;
}

static void refuses(const char *name, const struct data_form *form, enum cn_err err,
                    const char *part)
{
    struct cn_diag diag = {0};
    char line[CN_DIAG_LINE_MAX];
    struct dataset set;
    enum cn_err got = image_folder_load(&set, scratch_path(name), NULL, form, &diag);

    cr_assert_eq(got, err, "got %s for %s", cn_err_name(got), part);
    cn_diag_line(&diag, line);
    cr_assert(strstr(line, part), "'%s' lacks '%s'", line, part);
    cr_assert(!set.x && !set.y);
}

Test(image_folder, keeps_pixels_of_images_that_fit)
{
    static const uint8_t grey[6] = {0, 51, 102, 153, 204, 255};
    static const uint8_t rgb[6] = {255, 0, 0, 0, 0, 255};
    struct image image;
    float out[6];

    cr_assert_eq(image_load(&image, png("g.png", grey, 3, 2, 1), NULL), CN_OK);
    cr_assert(image.width == 3 && image.height == 2);
    image_fit(out, &image, &(struct image_shape){1, 2, 3, 0.2, 0.5});
    for (int i = 0; i < 6; i++)
        cr_assert_float_eq(out[i], (i * 0.2 - 0.2) / 0.5, 1e-6);
    image_free(&image);
    cr_assert_eq(image_load(&image, png("c.png", rgb, 2, 1, 3), NULL), CN_OK);
    image_fit(out, &image, &(struct image_shape){3, 1, 2, 0, 1});
    cr_assert(out[0] == 1 && out[1] == 0 && out[2] == 0 && out[3] == 0 && out[4] == 0 &&
              out[5] == 1);
    image_fit(out, &image, &(struct image_shape){1, 1, 2, 0, 1});
    cr_assert_float_eq(out[0], 0.299, 1e-6);
    cr_assert_float_eq(out[1], 0.114, 1e-6);
    image_free(&image);
}

Test(image_folder, scales_and_cuts_the_middle)
{
    uint8_t pixels[4 * 8];
    struct image image;
    float out[64];

    /* Four columns of 0 between two of 255: the middle of a wide image is black. */
    for (int i = 0; i < 32; i++)
        pixels[i] = i % 8 < 2 || i % 8 > 5 ? 255 : 0;
    cr_assert_eq(image_load(&image, png("w.png", pixels, 8, 4, 1), NULL), CN_OK);
    image_fit(out, &image, &(struct image_shape){1, 4, 4, 0, 1});
    for (int i = 0; i < 16; i++)
        cr_assert_eq(out[i], 0);
    /* Halved, the triangle over four columns weighs 1 3 3 1: an eighth comes from the edge. */
    image_fit(out, &image, &(struct image_shape){1, 2, 4, 0, 1});
    cr_assert_float_eq(out[0], 6.0 / 7, 1e-6);
    cr_assert_float_eq(out[1], 1.0 / 8, 1e-6);
    cr_assert_float_eq(out[1], out[2], 1e-6);
    cr_assert_float_eq(out[1], out[6], 1e-6);
    /* Enlarged, it stays within what was there. */
    image_fit(out, &image, &(struct image_shape){1, 8, 8, 0, 1});
    for (int i = 0; i < 64; i++)
        cr_assert(out[i] >= 0 && out[i] <= 1);
    image_free(&image);
}

Test(image_folder, loads_both_formats_by_class)
{
    static const uint8_t red[3] = {200, 30, 30}, clear[4] = {255, 255, 255, 0};
    static const char *const names[] = {"dog", "cat"};
    struct data_form form = {
        .channels = 3, .height = 4, .width = 4, .classes = 2, .labels = names, .label_count = 2};
    struct dataset set;

    folder("a"), folder("a/cat"), folder("a/dog"), folder("a/.hidden");
    jpeg("a/cat/1.jpg", red, 16, 9);
    png("a/dog/1.png", red, 1, 1, 3);
    png("a/dog/2.png", clear, 1, 1, 4);
    scratch_text("a/dog/.DS_Store", "x");
    cr_assert_eq(image_folder_load(&set, scratch_path("a"), NULL, &form, NULL), CN_OK);
    cr_assert(set.n == 3 && set.channels == 3 && set.height == 4 && set.classes == 2);
    cr_assert(set.y[0] == 1 && set.y[1] == 0 && set.y[2] == 0);
    for (int i = 0; i < 16; i++) {
        cr_assert_float_eq(set.x[i], 200 / 255.0, 0.012);
        cr_assert_float_eq(set.x[48 + i], 200 / 255.0, 1e-6);
        cr_assert_eq(set.x[96 + i], 0); /* transparent: black */
    }
    dataset_free(&set);
    form.labels = NULL;
    cr_assert_eq(image_folder_load(&set, scratch_path("a"), NULL, NULL, NULL), CN_OK);
    cr_assert(set.y[0] == 0 && set.y[1] == 1 && set.height == 9 && set.width == 16);
    dataset_free(&set);
}

Test(image_folder, tells_each_fault_with_the_file)
{
    static const uint8_t red[3] = {200, 30, 30};
    static const char *const names[] = {"dog", "cow"};
    struct data_form named = {.classes = 2, .labels = names, .label_count = 2};
    struct data_form two = {.channels = 2};
    uint8_t *bytes;
    size_t len;

    refuses("none", NULL, CN_E_NOT_FOUND, "none: can not be read");
    refuses(strrchr(scratch_text("file", "x"), '/') + 1, NULL, CN_E_DATA, "folder for every class");
    folder("a");
    refuses("a", NULL, CN_E_DATA, "no images in folders of classes");
    folder("a/cat");
    refuses("a", NULL, CN_E_DATA, "no images in folders of classes");
    scratch_text("a/cat/notes.txt", "a cat");
    refuses("a", NULL, CN_E_DATA, "a/cat/notes.txt: is neither PNG nor JPEG");
    remove(scratch_path("a/cat/notes.txt"));
    jpeg("a/cat/1.jpg", red, 64, 64);
    refuses("a", &two, CN_E_SHAPE, "the task asks for 2");
    refuses("a", &named, CN_E_DATA, "label 'cat' is none of the task's 2 labels");
    bytes = scratch_read(scratch_path("a/cat/1.jpg"), &len);
    scratch_file("a/cat/1.jpg", bytes, len / 2);
    refuses("a", NULL, CN_E_DATA, "a/cat/1.jpg: the JPEG is damaged");
    remove(scratch_path("a/cat/1.jpg"));
    bytes = scratch_read(png("a/cat/2.png", red, 1, 1, 3), &len);
    scratch_file("a/cat/2.png", bytes, len - 20);
    refuses("a", NULL, CN_E_DATA, "a/cat/2.png: the PNG is damaged");
    bytes[16] = 0x7f; /* a width of two thousand million */
    scratch_file("a/cat/2.png", bytes, len);
    refuses("a", NULL, CN_E_DATA, "a/cat/2.png: the PNG is damaged");
    remove(scratch_path("a/cat/2.png"));
    scratch_text("a/readme", "x");
    refuses("a", NULL, CN_E_DATA, "a/readme: is no folder");
    remove(scratch_path("a/readme"));
    folder("a/cat/more");
    refuses("a", NULL, CN_E_DATA, "a/cat/more: is no regular file");
}

Test(image_folder, refuses_images_of_too_many_pixels_before_taking_memory)
{
    struct image image;
    struct cn_diag diag = {0};
    static uint8_t row[3 * 1];
    unsigned char *out = NULL;
    unsigned long len = 0;
    tjhandle handle = tjInitCompress();

    cr_assert_eq(tjCompress2(handle, row, 1, 0, 1, TJPF_RGB, &out, &len, TJSAMP_444, 50, 0), 0);
    for (unsigned long i = 0; i + 9 < len; i++) {
        if (out[i] == 0xff && out[i + 1] == 0xc0) { /* the frame's header: height, width */
            memcpy(out + i + 5, "\xff\x00\xff\x00", 4);
            break;
        }
    }
    cr_assert_eq(image_load(&image, scratch_file("big.jpg", out, len), &diag), CN_E_TOO_LARGE);
    cr_assert(strstr(diag.text, "65280 x 65280 pixels") && !image.rgb, "%s", diag.text);
    tjFree(out);
    tjDestroy(handle);
}
