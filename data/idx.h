/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files, the format of MNIST and its successors: a magic number, sizes, bytes. Plain or gzip,
 * told apart by content. Source: the format's description on the MNIST page (LeCun et al.).
 *
 * Hostile files: a header must be backed by the file's size (times deflate's largest ratio), and no
 * byte past what the header promises is unpacked, so nothing larger than that is ever allocated. */
#ifndef CAIRN_DATA_IDX_H
#define CAIRN_DATA_IDX_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "data/dataset.h"
#include "data/form.h"

#define IDX_DIMS_MAX 4

/* An IDX file of unsigned bytes as it is: labels [n], images [n, h, w] or [n, c, h, w]. */
struct idx {
    uint8_t *bytes;
    uint32_t dims[IDX_DIMS_MAX]; /* dims[0] = n */
    uint32_t dim_count;
};

/* Bytes of one item: the product of dims[1] .. ; 1 for labels. */
size_t idx_item_bytes(const struct idx *idx);

/* Reads a file of any of the three shapes. Returns ownership, to idx_free.
 * CN_E_DATA with file, byte offset, what was found and what was expected: a wrong magic number,
 * another element type, sizes of 0, a truncated or damaged file, bytes after the end.
 * CN_E_TOO_LARGE past dataset.h's limits; CN_E_NOT_FOUND, CN_E_IO, CN_E_NOMEM. */
enum cn_err idx_load(struct idx *idx, const char *path, struct cn_diag *diag);

void idx_free(struct idx *idx);

/* Writes the file whole or not at all; gzip when the name ends in ".gz". Same bytes for the same
 * input. CN_E_NOSPACE, CN_E_IO, CN_E_NOMEM. */
enum cn_err idx_save(const char *path, const struct idx *idx, struct cn_diag *diag);

/* Loads images and their labels in one pass: x = (byte / 255 - mean) / deviation. Returns
 * ownership, to dataset_free. form may be NULL. Errors as of idx_load, and CN_E_DATA when the
 * counts of the two files differ, they are swapped, or a label is not below form->classes;
 * CN_E_SHAPE when the images' shape is not the expected one. */
enum cn_err idx_load_dataset(struct dataset *set, const char *images, const char *labels,
                             const struct data_form *form, struct cn_diag *diag);

#endif
