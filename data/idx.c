/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files, read. Layout: 0, 0, type (8: unsigned byte), dimensions; one big-endian 32-bit size
 * per dimension; the bytes, row by row. */
#include "data/idx.h"

#include <stdlib.h>
#include <string.h>

#include "data/stream.h"

#define IDX_TYPE_BYTE 0x08
#define IDX_HEADER_MAX (4 + 4 * IDX_DIMS_MAX)
#define IDX_CHUNK_BYTES ((size_t)64 * 1024)

size_t idx_item_bytes(const struct idx *idx)
{
    size_t bytes = 1;

    for (uint32_t i = 1; i < idx->dim_count; i++)
        bytes *= idx->dims[i];
    return bytes;
}

void idx_free(struct idx *idx)
{
    free(idx->bytes);
    *idx = (struct idx){0};
}

static enum cn_err refuse_cut(const struct stream *in, uint64_t expected, struct cn_diag *diag)
{
    cn_diag_set(diag, in->path, 0, 0, "ends at byte %llu, expected %llu bytes",
                (unsigned long long)in->offset, (unsigned long long)expected);
    cn_diag_hint(diag, "the file is incomplete: copy or download it again");
    return CN_E_DATA;
}

static enum cn_err read_exactly(struct stream *in, void *out, size_t len, uint64_t expected,
                                struct cn_diag *diag)
{
    size_t got;

    CN_TRY(stream_read(in, out, len, &got, diag));
    return got == len ? CN_OK : refuse_cut(in, expected, diag);
}

static enum cn_err check_magic(const struct stream *in, const uint8_t magic[4],
                               struct cn_diag *diag)
{
    if (magic[0] != 0 || magic[1] != 0) {
        cn_diag_set(diag, in->path, 0, 0,
                    "byte 0: magic number %02x%02x%02x%02x, expected 00000801 for labels or "
                    "00000803 for images",
                    magic[0], magic[1], magic[2], magic[3]);
        cn_diag_hint(diag, "this is not an IDX file");
        return CN_E_DATA;
    }
    if (magic[2] != IDX_TYPE_BYTE) {
        cn_diag_set(diag, in->path, 0, 0, "byte 2: element type %02x, expected 08 (unsigned byte)",
                    magic[2]);
        cn_diag_hint(diag, "convert the values to unsigned bytes");
        return CN_E_DATA;
    }
    if (magic[3] != 1 && magic[3] != 3 && magic[3] != 4) {
        cn_diag_set(diag, in->path, 0, 0,
                    "byte 3: %u dimensions, expected 1 for labels, 3 or 4 for images", magic[3]);
        return CN_E_DATA;
    }
    return CN_OK;
}

/* Checks the sizes against dataset.h's limits and against what the file can hold. */
static enum cn_err check_sizes(const struct stream *in, const struct idx *idx, uint64_t *expected,
                               struct cn_diag *diag)
{
    uint64_t item = 1;

    for (uint32_t i = 0; i < idx->dim_count; i++) {
        if (idx->dims[i] == 0) {
            cn_diag_set(diag, in->path, 0, 0, "byte %u: the size of dimension %u is 0", 4 + 4 * i,
                        i + 1);
            return CN_E_DATA;
        }
        if (i > 0 && (idx->dims[i] > DATASET_FEATURES_MAX ||
                      (item *= idx->dims[i]) > DATASET_FEATURES_MAX)) {
            cn_diag_set(diag, in->path, 0, 0, "byte %u: one item has more than %zu values",
                        4 + 4 * i, DATASET_FEATURES_MAX);
            return CN_E_TOO_LARGE;
        }
    }
    if (idx->dims[0] > DATASET_EXAMPLES_MAX || item > DATASET_VALUES_MAX / idx->dims[0]) {
        cn_diag_set(diag, in->path, 0, 0, "byte 4: %u items of %llu values are more than allowed",
                    idx->dims[0], (unsigned long long)item);
        return CN_E_TOO_LARGE;
    }
    *expected = in->offset + item * idx->dims[0];
    if (*expected <= in->bytes_max)
        return CN_OK;
    cn_diag_set(diag, in->path, 0, 0,
                "the header promises %llu bytes, but the file can hold at most %llu",
                (unsigned long long)*expected, (unsigned long long)in->bytes_max);
    cn_diag_hint(diag, "the file is incomplete: copy or download it again");
    return CN_E_DATA;
}

/* Leaves the stream at the first item. expected: bytes of the whole file, unpacked. */
static enum cn_err read_header(struct stream *in, struct idx *idx, uint64_t *expected,
                               struct cn_diag *diag)
{
    uint8_t head[IDX_HEADER_MAX];

    CN_TRY(read_exactly(in, head, 4, 4, diag));
    CN_TRY(check_magic(in, head, diag));
    idx->dim_count = head[3];
    CN_TRY(read_exactly(in, head, (size_t)4 * idx->dim_count, 4 + 4 * idx->dim_count, diag));
    for (uint32_t i = 0; i < idx->dim_count; i++)
        idx->dims[i] = (uint32_t)head[4 * i] << 24 | (uint32_t)head[4 * i + 1] << 16 |
                       (uint32_t)head[4 * i + 2] << 8 | head[4 * i + 3];
    return check_sizes(in, idx, expected, diag);
}

/* One byte more than promised is looked for, and no more than one is unpacked. */
static enum cn_err check_end(struct stream *in, uint64_t expected, struct cn_diag *diag)
{
    uint8_t extra;
    size_t got;

    CN_TRY(stream_read(in, &extra, 1, &got, diag));
    if (got == 0)
        return CN_OK;
    cn_diag_set(diag, in->path, 0, 0, "goes on after byte %llu, where its header says it ends",
                (unsigned long long)expected);
    cn_diag_hint(diag, "the header or the file is damaged: copy or download it again");
    return CN_E_DATA;
}

enum cn_err idx_load(struct idx *idx, const char *path, struct cn_diag *diag)
{
    struct stream in = {0};
    uint64_t expected = 0;
    size_t bytes;
    enum cn_err err;

    *idx = (struct idx){0};
    CN_TRY_OUT(err, stream_open(&in, path, diag));
    CN_TRY_OUT(err, read_header(&in, idx, &expected, diag));
    bytes = idx_item_bytes(idx) * idx->dims[0];
    idx->bytes = malloc(bytes);
    err = idx->bytes ? CN_OK : CN_E_NOMEM;
    if (err != CN_OK)
        goto out;
    CN_TRY_OUT(err, read_exactly(&in, idx->bytes, bytes, expected, diag));
    err = check_end(&in, expected, diag);
out:
    if (err != CN_OK)
        idx_free(idx);
    stream_close(&in);
    return err;
}

/* Bytes become floats through a table of all 256, one chunk at a time. */
static enum cn_err read_images(struct dataset *set, struct stream *in, uint64_t expected,
                               const struct data_form *form, struct cn_diag *diag)
{
    double mean = form ? form->mean : 0;
    double deviation = form && form->deviation > 0 ? form->deviation : 1;
    size_t total = set->n * dataset_features(set);
    uint8_t chunk[IDX_CHUNK_BYTES];
    float table[256];

    for (int i = 0; i < 256; i++)
        table[i] = (float)((i / 255.0 - mean) / deviation);
    for (size_t done = 0; done < total;) {
        size_t count = total - done < sizeof chunk ? total - done : sizeof chunk;

        CN_TRY(read_exactly(in, chunk, count, expected, diag));
        for (size_t i = 0; i < count; i++)
            set->x[done + i] = table[chunk[i]];
        done += count;
    }
    return check_end(in, expected, diag);
}

static enum cn_err load_images(struct dataset *set, const char *path, const struct data_form *form,
                               struct cn_diag *diag)
{
    struct stream in = {0};
    struct idx head = {0};
    uint64_t expected = 0;
    uint32_t channels, height, width;
    enum cn_err err;

    CN_TRY_OUT(err, stream_open(&in, path, diag));
    CN_TRY_OUT(err, read_header(&in, &head, &expected, diag));
    if (head.dim_count == 1) {
        cn_diag_set(diag, path, 0, 0, "byte 3: holds labels, expected images");
        cn_diag_hint(diag, "the order is idx:IMAGES,LABELS");
        err = CN_E_DATA;
        goto out;
    }
    channels = head.dim_count == 4 ? head.dims[1] : 1;
    height = head.dims[head.dim_count - 2];
    width = head.dims[head.dim_count - 1];
    CN_TRY_OUT(err, data_form_check(form, channels, height, width, path, diag));
    CN_TRY_OUT(err, dataset_new(set, head.dims[0], channels, height, width));
    err = read_images(set, &in, expected, form, diag);
out:
    stream_close(&in);
    return err;
}

static enum cn_err take_labels(struct dataset *set, const struct idx *labels, const char *path,
                               const struct data_form *form, struct cn_diag *diag)
{
    uint32_t classes = form ? form->classes : 0;
    uint32_t largest = 0;

    for (size_t i = 0; i < set->n; i++) {
        uint32_t label = labels->bytes[i];

        if (classes && label >= classes) {
            cn_diag_set(diag, path, 0, 0, "byte %zu (record %zu): label %u, expected 0 to %u",
                        i + 8, i + 1, label, classes - 1);
            cn_diag_hint(diag, "the data has more classes than the task (data.classes)");
            return CN_E_DATA;
        }
        largest = label > largest ? label : largest;
        set->y[i] = label;
    }
    set->classes = classes ? classes : largest + 1;
    return CN_OK;
}

static enum cn_err load_labels(struct dataset *set, const char *images, const char *path,
                               const struct data_form *form, struct cn_diag *diag)
{
    struct idx labels;
    enum cn_err err;

    CN_TRY(idx_load(&labels, path, diag));
    if (labels.dim_count != 1) {
        cn_diag_set(diag, path, 0, 0, "byte 3: holds images, expected labels");
        cn_diag_hint(diag, "the order is idx:IMAGES,LABELS");
        err = CN_E_DATA;
    } else if (labels.dims[0] != set->n) {
        cn_diag_set(diag, path, 0, 0, "byte 4: %u labels, but %s holds %zu images", labels.dims[0],
                    images, set->n);
        cn_diag_hint(diag, "name the two files that belong together");
        err = CN_E_DATA;
    } else {
        err = take_labels(set, &labels, path, form, diag);
    }
    idx_free(&labels);
    return err;
}

enum cn_err idx_load_dataset(struct dataset *set, const char *images, const char *labels,
                             const struct data_form *form, struct cn_diag *diag)
{
    enum cn_err err;

    *set = (struct dataset){0};
    CN_TRY_OUT(err, load_images(set, images, form, diag));
    err = load_labels(set, images, labels, form, diag);
out:
    if (err != CN_OK)
        dataset_free(set);
    return err;
}
