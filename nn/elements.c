/* SPDX-License-Identifier: Apache-2.0 */
/* Which elements this processor runs. */
#include "nn/elements.h"

#include "nn/elements_internal.h"

uint32_t elements_all(const struct elements *out[ELEMENTS_SETS_MAX])
{
    uint32_t count = 0;

#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma"))
        out[count++] = &elements_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out[count++] = &elements_avx2;
#endif
    out[count++] = &elements_base;
    return count;
}

const struct elements *elements_best(void)
{
    const struct elements *sets[ELEMENTS_SETS_MAX];

    (void)elements_all(sets);
    return sets[0];
}
