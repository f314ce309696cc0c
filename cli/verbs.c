/* SPDX-License-Identifier: Apache-2.0 */
/* All verbs in one table. */
#include "cli/verbs.h"

#include <string.h>

#define VERBS_MAX 32

static size_t add(struct cn_verb *all, size_t count, const struct cn_verb *verbs, size_t more)
{
    CN_ASSERT(count + more <= VERBS_MAX);
    memcpy(all + count, verbs, more * sizeof *verbs);
    return count + more;
}

const struct cn_program *cli_program(void)
{
    static struct cn_verb all[VERBS_MAX];
    static struct cn_program program = {
        .name = "cairn",
        .summary = "plan privacy budgets, verify ledgers, inspect data, evaluate models",
        .verbs = all,
    };
    size_t count = 0;

    count = add(all, count, privacy_verbs, privacy_verb_count);
    count = add(all, count, plan_verbs, plan_verb_count);
    count = add(all, count, audit_verbs, audit_verb_count);
    count = add(all, count, model_verbs, model_verb_count);
    count = add(all, count, train_verbs, train_verb_count);
    count = add(all, count, data_verbs, data_verb_count);
    count = add(all, count, bench_verbs, bench_verb_count);
    count = add(all, count, bench_train_verbs, bench_train_verb_count);
    program.verb_count = count;
    return &program;
}
