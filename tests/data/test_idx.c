/* SPDX-License-Identifier: Apache-2.0 */
#include "data/idx.h"
#include "scratch.h"

TestSuite(idx, .init = scratch_make, .fini = scratch_remove);

#define HAS(text, part) cr_assert(strstr(text, part), "'%s' lacks '%s'", text, part)

/* Three images of 2 x 2, and their labels. */
static const uint8_t images[] = {0, 0, 8, 3,  0,   0,   0,   3,   0, 0, 0,  2,  0,  0,
                                 0, 2, 0, 51, 102, 153, 204, 255, 0, 1, 10, 20, 30, 40};
static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1};

static enum cn_err load(struct dataset *set, const void *x, size_t x_len, const void *y,
                        size_t y_len, const struct data_form *form, struct cn_diag *diag)
{
    const char *x_path = scratch_file("x", x, x_len);
    const char *y_path = scratch_file("y", y, y_len);

    memset(diag, 0, sizeof *diag);
    return idx_load_dataset(set, x_path, y_path, form, diag);
}

/* The bytes with one changed. */
static const uint8_t *changed(const uint8_t *bytes, size_t len, size_t at, uint8_t value)
{
    static uint8_t copy[64];

    cr_assert(len <= sizeof copy && at < len);
    memcpy(copy, bytes, len);
    copy[at] = value;
    return copy;
}

Test(idx, loads_images_and_labels_standardised)
{
    struct data_form form = {.classes = 3, .mean = 0.2, .deviation = 0.5};
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, images, sizeof images, labels, sizeof labels, &form, &diag), CN_OK);
    cr_assert(set.n == 3 && set.channels == 1 && set.height == 2 && set.width == 2);
    cr_assert_eq(set.classes, 3);
    for (size_t i = 0; i < 12; i++)
        cr_assert_float_eq(set.x[i], (images[16 + i] / 255.0 - 0.2) / 0.5, 1e-6);
    cr_assert(set.y[0] == 2 && set.y[1] == 0 && set.y[2] == 1);
    dataset_free(&set);
    cr_assert(!set.x && !set.y && set.n == 0);
}

Test(idx, loads_without_expectations)
{
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, images, sizeof images, labels, sizeof labels, NULL, &diag), CN_OK);
    cr_assert_eq(set.classes, 3);
    cr_assert_float_eq(set.x[5], 1.0 * images[21] / 255, 1e-6);
    dataset_free(&set);
}

Test(idx, tells_gzip_by_content_not_by_name)
{
    const char *x = scratch_gzip("plain-name", images, sizeof images);
    const char *y = scratch_file("labels.gz", labels, sizeof labels);
    struct dataset set;

    cr_assert_eq(idx_load_dataset(&set, x, y, NULL, NULL), CN_OK);
    cr_assert_float_eq(set.x[1], 51 / 255.0, 1e-6);
    dataset_free(&set);
}

Test(idx, loads_images_with_channels)
{
    static const uint8_t coloured[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 3, 0,
                                       0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6};
    static const uint8_t one[] = {0, 0, 8, 1, 0, 0, 0, 1, 0};
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, coloured, sizeof coloured, one, sizeof one, NULL, &diag), CN_OK);
    cr_assert(set.channels == 3 && set.height == 1 && set.width == 2 && set.classes == 1);
    dataset_free(&set);
}

Test(idx, refuses_every_truncation)
{
    struct cn_diag diag;
    struct dataset set;

    for (size_t len = 0; len < sizeof images; len++) {
        cr_assert_eq(load(&set, images, len, labels, sizeof labels, NULL, &diag), CN_E_DATA);
        cr_assert(!set.x && diag.text[0] && diag.hint[0]);
    }
    for (size_t len = 0; len < sizeof labels; len++)
        cr_assert_eq(load(&set, images, sizeof images, labels, len, NULL, &diag), CN_E_DATA);
}

Test(idx, refuses_every_truncation_of_gzip)
{
    size_t len;
    const char *whole = scratch_gzip("whole", images, sizeof images);
    const char *y = scratch_file("y", labels, sizeof labels);
    unsigned char *bytes = scratch_read(whole, &len);
    struct dataset set;

    for (size_t cut = 0; cut < len; cut++) {
        const char *x = scratch_file("x", bytes, cut);

        cr_assert_eq(idx_load_dataset(&set, x, y, NULL, NULL), CN_E_DATA, "cut at %zu", cut);
    }
}

Test(idx, tells_damaged_gzip_with_the_next_step)
{
    size_t len;
    const char *whole = scratch_gzip("whole", images, sizeof images);
    unsigned char *bytes = scratch_read(whole, &len);
    struct cn_diag diag = {0};
    struct idx idx;

    bytes[len - 6] ^= 1; /* the checksum */
    cr_assert_eq(idx_load(&idx, scratch_file("x", bytes, len), &diag), CN_E_DATA);
    HAS(diag.text, "damaged");
    HAS(diag.hint, "gzip -t");
}

Test(idx, names_the_byte_of_a_wrong_magic_number)
{
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, "P5 2 2 255\n....", 15, labels, sizeof labels, NULL, &diag), CN_E_DATA);
    HAS(diag.text, "byte 0: magic number 50352032, expected 00000801");
    cr_assert_eq(load(&set, changed(images, sizeof images, 2, 13), sizeof images, labels,
                      sizeof labels, NULL, &diag),
                 CN_E_DATA);
    HAS(diag.text, "byte 2: element type 0d, expected 08");
    cr_assert_eq(load(&set, changed(images, sizeof images, 3, 2), sizeof images, labels,
                      sizeof labels, NULL, &diag),
                 CN_E_DATA);
    HAS(diag.text, "byte 3: 2 dimensions");
}

Test(idx, tells_swapped_files)
{
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, labels, sizeof labels, images, sizeof images, NULL, &diag), CN_E_DATA);
    HAS(diag.text, "holds labels, expected images");
    HAS(diag.hint, "idx:IMAGES,LABELS");
    cr_assert_eq(load(&set, images, sizeof images, images, sizeof images, NULL, &diag), CN_E_DATA);
    HAS(diag.text, "holds images, expected labels");
}

Test(idx, tells_counts_that_differ)
{
    static const uint8_t two[] = {0, 0, 8, 1, 0, 0, 0, 2, 2, 0};
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, images, sizeof images, two, sizeof two, NULL, &diag), CN_E_DATA);
    HAS(diag.text, "2 labels, but");
    HAS(diag.text, "holds 3 images");
}

Test(idx, tells_bytes_after_the_end)
{
    uint8_t longer[sizeof labels + 1] = {0};
    struct cn_diag diag;
    struct dataset set;

    memcpy(longer, labels, sizeof labels);
    cr_assert_eq(load(&set, images, sizeof images, longer, sizeof longer, NULL, &diag), CN_E_DATA);
    HAS(diag.text, "goes on after byte 11");
}

Test(idx, names_the_record_of_a_label_out_of_range)
{
    struct data_form form = {.classes = 2};
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, images, sizeof images, labels, sizeof labels, &form, &diag), CN_E_DATA);
    HAS(diag.text, "byte 8 (record 1): label 2, expected 0 to 1");
    HAS(diag.hint, "data.classes");
}

Test(idx, tells_a_shape_that_is_not_expected)
{
    struct data_form form = {.channels = 1, .height = 28, .width = 28};
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, images, sizeof images, labels, sizeof labels, &form, &diag),
                 CN_E_SHAPE);
    HAS(diag.text, "1 x 2 x 2");
    HAS(diag.text, "expected 1 x 28 x 28");
}

Test(idx, refuses_sizes_of_zero)
{
    struct cn_diag diag;
    struct dataset set;

    for (size_t at = 7; at <= 15; at += 4) {
        cr_assert_eq(load(&set, changed(images, sizeof images, at, 0), sizeof images, labels,
                          sizeof labels, NULL, &diag),
                     CN_E_DATA);
        HAS(diag.text, "is 0");
    }
}

Test(idx, allocates_nothing_that_the_file_can_not_hold)
{
    struct cn_diag diag;
    struct dataset set;
    uint8_t huge[sizeof images];

    cr_assert_eq(load(&set, changed(images, sizeof images, 5, 1), sizeof images, labels,
                      sizeof labels, NULL, &diag),
                 CN_E_DATA);
    HAS(diag.text, "the header promises 262172 bytes, but the file can hold at most 28");
    memcpy(huge, images, sizeof huge);
    memset(huge + 4, 0xff, 12);
    cr_assert_eq(load(&set, huge, sizeof huge, labels, sizeof labels, NULL, &diag), CN_E_TOO_LARGE);
    cr_assert_eq(idx_load_dataset(&set, scratch_gzip("bomb", huge, sizeof huge), scratch_path("y"),
                                  NULL, NULL),
                 CN_E_TOO_LARGE);
}

Test(idx, unpacks_no_more_of_a_bomb_than_its_header_promises)
{
    static uint8_t bomb[16 << 20];
    struct cn_diag diag = {0};
    struct idx idx;

    memcpy(bomb, labels, sizeof labels);
    cr_assert_eq(idx_load(&idx, scratch_gzip("bomb", bomb, sizeof bomb), &diag), CN_E_DATA);
    HAS(diag.text, "goes on after byte 11");
}

Test(idx, tells_missing_files_and_folders)
{
    struct cn_diag diag = {0};
    struct idx idx;

    cr_assert_eq(idx_load(&idx, scratch_path("nowhere"), &diag), CN_E_NOT_FOUND);
    HAS(diag.place, "nowhere");
    memset(&diag, 0, sizeof diag);
    cr_assert_eq(idx_load(&idx, scratch_folder, &diag), CN_E_DATA);
    HAS(diag.text, "not a regular file");
}

Test(idx, reads_what_it_wrote)
{
    static uint8_t bytes[5 * 3 * 70000];
    struct idx out = {.bytes = bytes, .dims = {5, 3, 70000}, .dim_count = 3}, in;
    static const char *const names[] = {"plain", "packed.gz"};

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i >> 5);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(idx_save(scratch_path(names[i]), &out, NULL), CN_OK);
        cr_assert_eq(idx_load(&in, scratch_path(names[i]), NULL), CN_OK);
        cr_assert(in.dim_count == 3 && memcmp(in.dims, out.dims, sizeof in.dims) == 0);
        cr_assert_eq(memcmp(in.bytes, bytes, sizeof bytes), 0);
        idx_free(&in);
    }
}

Test(idx, packs_only_names_that_end_in_gz)
{
    uint8_t bytes[] = {1, 2, 3};
    struct idx out = {.bytes = bytes, .dims = {3}, .dim_count = 1};
    size_t len;

    cr_assert_eq(idx_save(scratch_path("plain"), &out, NULL), CN_OK);
    cr_assert_eq(scratch_read(scratch_path("plain"), &len)[2], 8);
    cr_assert_eq(len, 11);
    cr_assert_eq(idx_save(scratch_path("x.gz"), &out, NULL), CN_OK);
    cr_assert_eq(scratch_read(scratch_path("x.gz"), &len)[0], 0x1f);
}

Test(idx, tells_a_folder_that_is_missing_when_writing)
{
    uint8_t bytes[] = {1};
    struct idx out = {.bytes = bytes, .dims = {1}, .dim_count = 1};
    struct cn_diag diag = {0};

    cr_assert_neq(idx_save(scratch_path("none/x.gz"), &out, &diag), CN_OK);
    cr_assert(diag.text[0]);
}
