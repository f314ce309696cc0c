/* SPDX-License-Identifier: Apache-2.0 */
/* One PNG or JPEG file, told apart by content, as values of a wanted shape: scaled until it covers
 * the wanted size, the middle cut out, grey or RGB.
 *
 * libpng and libjpeg-turbo decode; a file's size in pixels is checked before any memory is taken
 * for it, and a progressive JPEG may not ask for hundreds of passes. Scaling is a triangle filter
 * (bilinear; when an image shrinks, over all pixels that fall together), grey is Rec. 601 luma. */
#ifndef CAIRN_DATA_IMAGE_H
#define CAIRN_DATA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"

#define IMAGE_FILE_BYTES_MAX ((size_t)64 << 20)
#define IMAGE_PIXELS_MAX ((size_t)1 << 26)

struct image {
    uint8_t *rgb; /* [height, width, 3] */
    uint32_t width;
    uint32_t height;
};

/* What image_fit makes of it: v = (byte / 255 - mean) / deviation. */
struct image_shape {
    uint32_t channels; /* 1 or 3 */
    uint32_t height;
    uint32_t width;
    double mean;
    double deviation; /* > 0 */
};

/* Reads and decodes the file. Returns ownership, to image_free. CN_E_DATA when it is no PNG or
 * JPEG, cut off or damaged; CN_E_TOO_LARGE past the limits above; CN_E_NOT_FOUND, CN_E_IO,
 * CN_E_NOMEM; with the file's name. */
enum cn_err image_load(struct image *image, const char *path, struct cn_diag *diag);

void image_free(struct image *image);

/* Fills out [channels, height, width]. No allocation. */
void image_fit(float *out, const struct image *image, const struct image_shape *shape);

#endif
