/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "golden.h"
#include "privacy/audit.h"

Test(audit, meets_every_row)
{
    struct golden g;

    for (golden_open(&g, "audit/audit_one_run.csv"); golden_next(&g);) {
        const struct audit_result result = {(uint32_t)golden_get(&g, "m_canaries"),
                                            (uint32_t)golden_get(&g, "r_guesses"),
                                            (uint32_t)golden_get(&g, "v_correct")};
        double delta = golden_get(&g, "delta"), p, epsilon;

        cr_assert_eq(audit_p_value(&p, &result, 1, delta), CN_OK);
        cr_expect_float_eq(p / golden_get(&g, "p_value_at_eps1"), 1, 1e-6, "%s: %.12g", g.value[5],
                           p);
        cr_assert_eq(audit_epsilon(&epsilon, &result, delta, golden_get(&g, "significance")),
                     CN_OK);
        cr_expect_float_eq(epsilon, golden_get(&g, "eps_lower_bound"), 1e-6, "%.12g", epsilon);
    }
}

Test(audit, proves_nothing_from_guesses_that_were_wrong)
{
    const struct audit_result result = {100, 50, 0};
    double epsilon = 1, p;

    cr_assert_eq(audit_epsilon(&epsilon, &result, 1e-5, 0.05), CN_OK);
    cr_assert_eq(epsilon, 0);
    cr_assert_eq(audit_p_value(&p, &result, 1, 0), CN_OK);
    cr_assert_eq(p, 1);
}

Test(audit, refuses_counts_that_can_not_be)
{
    const struct audit_result more_right = {100, 50, 51}, more_guessed = {100, 101, 5},
                              none = {0, 0, 0};
    double p;

    cr_assert_eq(audit_p_value(&p, &more_right, 1, 0), CN_E_CONFIG);
    cr_assert_eq(audit_p_value(&p, &more_guessed, 1, 0), CN_E_CONFIG);
    cr_assert_eq(audit_epsilon(&p, &none, 0, 0.05), CN_E_CONFIG);
}
