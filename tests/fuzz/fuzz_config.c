/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration from anywhere: what our own checks accept, libcyaml must load. */
#include <stdlib.h>

#include "base/config.h"
#include "tests/base/config_schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cn_config_range range = {.path = "layers[].kernel", .min = 1, .max = 9};
    const char *text = (const char *)data;
    struct cn_diag diag = {0};
    unsigned line, column;
    void *out;

    if (cn_config_parse(&out, text, size, "input", &plan_schema, &diag) == CN_OK) {
        CN_ASSERT(out && cn_config_where(text, size, "name", &line, &column));
        CN_IGNORE(cn_config_check(text, size, "input", &range, 1, &diag));
        cn_config_free(&plan_schema, out);
    } else {
        /* Only what libcyaml refused after our checks, and a size, come without a line. */
        CN_ASSERT(!out && diag.text[0] && (diag.line || size > CN_CONFIG_BYTES_MAX));
    }
    return 0;
}
