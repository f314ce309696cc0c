/* SPDX-License-Identifier: Apache-2.0 */
/* Image files from anywhere: what loads fits into any shape with values from 0 to 1; what does not
 * says why. */
#include <stdint.h>

#include "data/image.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct image_shape shapes[] = {{1, 2, 3, 0, 1}, {3, 5, 1, 0, 1}};
    struct memory_file file;
    struct cn_diag diag = {0};
    struct image image;
    float out[15];

    memory_file_open(&file, data, size);
    if (image_load(&image, file.path, &diag) != CN_OK)
        CN_ASSERT(diag.text[0] && !image.rgb);
    for (size_t i = 0; i < 2 && image.rgb && (size_t)image.width * image.height < 1 << 20; i++) {
        size_t values = (size_t)shapes[i].channels * shapes[i].height * shapes[i].width;

        image_fit(out, &image, &shapes[i]);
        for (size_t v = 0; v < values; v++)
            CN_ASSERT(out[v] >= 0 && out[v] < 1.000001f);
    }
    image_free(&image);
    memory_file_close(&file);
    return 0;
}
