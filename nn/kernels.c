/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels this processor runs. */
#include "nn/kernels.h"

#include "nn/kernels_internal.h"

uint32_t kernels_all(const struct kernels *out[KERNELS_SETS_MAX])
{
    uint32_t count = 0;

#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma"))
        out[count++] = &kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out[count++] = &kernels_avx2;
#endif
    out[count++] = &kernels_base;
    out[count++] = &kernels_ref;
    return count;
}

const struct kernels *kernels_best(void)
{
    const struct kernels *sets[KERNELS_SETS_MAX];
    uint32_t count = kernels_all(sets);

    return count > 0 ? sets[0] : &kernels_ref;
}
