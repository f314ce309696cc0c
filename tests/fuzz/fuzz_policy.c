/* SPDX-License-Identifier: Apache-2.0 */
/* Policies from anywhere: what is accepted de-identifies a table of its own columns or refuses it
 * with words; what is not says where. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply(const struct policy *policy)
{
    static const char *const values[] = {"", "x", "37", "-1e300", "2024-02-29", "\xc3\xa4\xc3"};
    char out[POLICY_TEXT_MAX];

    for (uint32_t i = 0; i < policy->column_count; i++) {
        enum policy_action action = policy->columns[i].action;

        CN_ASSERT(policy_find(policy, policy->columns[i].name) == i);
        CN_ASSERT(policy_action_text(action)[0]);
        if (action != POLICY_PREFIX && action != POLICY_MAP && action != POLICY_BUCKET)
            continue;
        for (size_t v = 0; v < CN_COUNT(values); v++) {
            const char *what = NULL;

            if (policy_generalise(out, &policy->columns[i], values[v], strlen(values[v]), &what))
                CN_ASSERT(memchr(out, 0, sizeof out));
            else
                CN_ASSERT(what && what[0]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cn_diag diag = {0};
    struct policy *policy;

    if (policy_parse(&policy, (const char *)data, size, "fuzz", &diag) != CN_OK) {
        CN_ASSERT(!policy && diag.text[0]);
        return 0;
    }
    CN_ASSERT(policy->column_count > 0 && (policy->k == 0) == (policy->quasi_count == 0));
    apply(policy);
    policy_free(policy);
    return 0;
}
