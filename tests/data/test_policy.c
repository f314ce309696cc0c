/* SPDX-License-Identifier: Apache-2.0 */
#include "data/policy.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(policy);

#define HEAD "policy: p\ncolumns:\n"
#define A "  - {name: a, action: keep}\n"

static void refuses(const char *text, const char *part)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag = {0};
    struct policy *policy;

    cr_assert_eq(policy_parse(&policy, text, strlen(text), "p.yaml", &diag), CN_E_CONFIG, "%s",
                 text);
    cn_diag_line(&diag, line);
    cr_assert(strstr(line, part), "'%s' lacks '%s'", line, part);
    cr_assert(!policy && diag.line > 0);
}

static struct policy *parse(const char *text)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag = {0};
    struct policy *policy;

    cr_assert_eq(policy_parse(&policy, text, strlen(text), "p.yaml", &diag), CN_OK, "%s",
                 cn_diag_line(&diag, line));
    return policy;
}

Test(policy, reads_all_actions)
{
    static const char text[] =
        "policy: clinic\n"
        "person: id\nquasi: [zip, age]\nk: 5\nsensitive: icd\nl: 2\n"
        "columns:\n"
        "  - {name: id, action: hash}\n"
        "  - {name: name, action: drop}\n"
        "  - {name: zip, action: prefix, keep: 3}\n"
        "  - {name: age, action: bucket, edges: [18, 65]}\n"
        "  - {name: sum, action: bucket, width: 2.5}\n"
        "  - {name: city, action: map, map: [{from: Lyon, to: France}], other: elsewhere}\n"
        "  - {name: seen, action: shift_date, days: 30}\n"
        "  - {name: icd, action: keep}\n";
    struct policy *policy = parse(text);
    uint8_t hash[HASH_BYTES];

    cr_assert(policy->column_count == 8 && policy->k == 5 && policy->l == 2);
    cr_assert(policy->quasi_count == 2 && strcmp(policy->person, "id") == 0);
    cr_assert(policy_needs_key(policy) && policy_find(policy, "sum") == 4);
    cr_assert_eq(policy_find(policy, "Sum"), 8);
    hash_blob(hash, text, strlen(text));
    cr_assert(memcmp(hash, policy->hash, sizeof hash) == 0);
    policy_free(policy);
    policy = parse(HEAD A);
    cr_assert(!policy_needs_key(policy));
    policy_free(policy);
}

static void becomes(const struct policy *policy, const char *column, const char *value,
                    const char *expected)
{
    const struct policy_column *spec = &policy->columns[policy_find(policy, column)];
    char out[POLICY_TEXT_MAX];
    const char *what = NULL;
    bool done = policy_generalise(out, spec, value, strlen(value), &what);

    cr_assert_eq(done, expected != NULL, "%s", value);
    if (done)
        cr_assert_str_eq(out, expected);
    else
        cr_assert(what);
}

Test(policy, generalises_values)
{
    struct policy *policy = parse(HEAD "  - {name: zip, action: prefix, keep: 3}\n"
                                       "  - {name: none, action: prefix, keep: 0}\n"
                                       "  - {name: age, action: bucket, edges: [18, 65]}\n"
                                       "  - {name: sum, action: bucket, width: 10}\n"
                                       "  - {name: to, action: map, map: [{from: a, to: b}]}\n"
                                       "  - {name: of, action: map, map: [{from: a, to: b}], "
                                       "other: c}\n");

    becomes(policy, "zip", "10115", "101*");
    becomes(policy, "zip", "101", "101");
    becomes(policy, "zip", "\xc3\xa4\xc3\xb6\xc3\xbcx", "\xc3\xa4\xc3\xb6\xc3\xbc*");
    becomes(policy, "none", "secret", "*");
    becomes(policy, "age", "17.9", "below 18");
    becomes(policy, "age", "18", "18 to 65");
    becomes(policy, "age", "65", "from 65");
    becomes(policy, "age", "old", NULL);
    becomes(policy, "sum", "37", "30 to 40");
    becomes(policy, "sum", "-1", "-10 to 0");
    becomes(policy, "sum", "40", "40 to 50");
    becomes(policy, "to", "a", "b");
    becomes(policy, "to", "x", NULL);
    becomes(policy, "of", "x", "c");
    policy_free(policy);
}

Test(policy, refuses_keys_that_an_action_lacks_or_does_not_know)
{
    refuses(HEAD "  - {name: a, action: hide}\n", "p.yaml:3:23");
    refuses(HEAD "  - {name: a, action: prefix}\n", "needs 'keep'");
    refuses(HEAD "  - {name: a, action: keep, keep: 2}\n", "has 'keep'");
    refuses(HEAD "  - {name: a, action: map}\n", "needs 'map'");
    refuses(HEAD "  - {name: a, action: keep, other: x}\n", "has 'map' or 'other'");
    refuses(HEAD "  - {name: a, action: bucket}\n", "either 'edges' or 'width'");
    refuses(HEAD "  - {name: a, action: bucket, edges: [1], width: 2}\n", "either");
    refuses(HEAD "  - {name: a, action: hash, width: 2}\n", "has 'edges' or 'width'");
    refuses(HEAD "  - {name: a, action: bucket, edges: [2, 1]}\n", "do not rise");
    refuses(HEAD "  - {name: a, action: bucket, width: 0}\n", "greater than 0");
    refuses(HEAD "  - {name: a, action: shift_date}\n", "needs 'days'");
    refuses(HEAD "  - {name: a, action: keep, days: 3}\n", "has 'days'");
    refuses(HEAD "  - {name: a, action: shift_date, days: 3}\n", "by person");
    refuses(HEAD "  - {name: a, action: map, map: [{from: x, to: y}, {from: x, to: z}]}\n",
            "maps one word twice");
    refuses(HEAD A A, "twice");
    refuses(HEAD "  - {name: a, action: drop}\n", "drops every column");
}

Test(policy, refuses_crowds_that_make_no_sense)
{
    refuses(HEAD A "k: 5\n", "'k' needs the other");
    refuses(HEAD A "quasi: [a]\n", "'quasi' needs the other");
    refuses(HEAD A "quasi: [b]\nk: 5\n", "p.yaml:4:9: 'b' is none of");
    refuses(HEAD A "quasi: [a, a]\nk: 5\n", "'quasi' twice");
    refuses(HEAD A "quasi: [a]\nk: 1\n", "'k' is '1'");
    refuses(HEAD A "  - {name: b, action: drop}\nquasi: [b]\nk: 5\n", "is dropped");
    refuses(HEAD A "quasi: [a]\nk: 5\nsensitive: a\nl: 2\n", "both quasi and sensitive");
    refuses(HEAD A "quasi: [a]\nk: 5\nl: 2\n", "go together");
    refuses(HEAD A "sensitive: a\n", "go together");
    refuses(HEAD A "person: q\n", "'q' is none of");
}
