/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/metrics.h"

#include <math.h>
#include <stddef.h>

#include <jansson.h>

/* clang-format off */
#define FIELD(name, fallback) {#name, offsetof(struct metrics, name), fallback}
static const struct field {
    const char *name;
    size_t offset;
    double fallback;
} fields[] = {
    FIELD(gather_s, 0), FIELD(train_s, 0), FIELD(shares_s, 0), FIELD(upload_s, 0),
    FIELD(unmask_s, 0), FIELD(evaluate_s, 0), FIELD(bytes_up, 0), FIELD(bytes_down, 0),
    FIELD(train_loss, NAN), FIELD(train_accuracy, NAN), FIELD(loss, NAN), FIELD(accuracy, NAN),
    FIELD(epsilon, NAN),
};
#undef FIELD
/* clang-format on */
_Static_assert(sizeof(struct metrics) == CN_COUNT(fields) * sizeof(double), "a field is missing");

void metrics_init(struct metrics *metrics)
{
    for (size_t i = 0; i < CN_COUNT(fields); i++)
        *(double *)((char *)metrics + fields[i].offset) = fields[i].fallback;
}

struct json_t *metrics_json(const struct metrics *metrics)
{
    json_t *object = json_object();
    for (size_t i = 0; i < CN_COUNT(fields); i++) {
        double value = *(const double *)((const char *)metrics + fields[i].offset);
        json_t *number = isfinite(value) ? json_real(value) : json_null();
        if (json_object_set_new(object, fields[i].name, number) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

char *metrics_encode(const struct metrics *metrics)
{
    json_t *object = metrics_json(metrics);
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return text;
}

enum cn_err metrics_decode(struct metrics *metrics, const char *text)
{
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return CN_E_DATA;
    }
    metrics_init(metrics);
    for (size_t i = 0; i < CN_COUNT(fields); i++) {
        const json_t *number = json_object_get(object, fields[i].name);
        if (json_is_number(number))
            *(double *)((char *)metrics + fields[i].offset) = json_number_value(number);
    }
    json_decref(object);
    return CN_OK;
}
