/* SPDX-License-Identifier: Apache-2.0 */
#include "data/libsvm.h"
#include "scratch.h"

TestSuite(libsvm, .init = scratch_make, .fini = scratch_remove);

static enum cn_err load(struct dataset *set, const char *text, const struct data_form *form,
                        struct cn_diag *diag)
{
    memset(diag, 0, sizeof *diag);
    return libsvm_load(set, scratch_text("t.svm", text), NULL, form, diag);
}

static void refuses(const char *text, const struct data_form *form, enum cn_err err,
                    const char *part)
{
    char line[CN_DIAG_LINE_MAX];
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, text, form, &diag), err, "%s", text);
    cn_diag_line(&diag, line);
    cr_assert(strstr(line, part), "'%s' lacks '%s'", line, part);
    cr_assert(!set.x && !set.y);
}

Test(libsvm, loads_sparse_lines_with_signed_labels_and_comments)
{
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, "# a comment\n+1 1:0.5 3:-2 # last\n\n-1\t2:1e1\r\n+1", NULL, &diag),
                 CN_OK);
    cr_assert(set.n == 3 && set.width == 3 && set.height == 1 && set.classes == 2);
    cr_assert(set.x[0] == 0.5f && set.x[1] == 0 && set.x[2] == -2 && set.x[4] == 10);
    cr_assert(set.x[6] == 0 && set.y[0] == 0 && set.y[1] == 1 && set.y[2] == 0);
    dataset_free(&set);
}

Test(libsvm, takes_width_names_and_constants_of_the_form)
{
    static const char *const names[] = {"-1", "+1"};
    struct data_form form = {
        .width = 4, .classes = 2, .mean = 1, .deviation = 2, .labels = names, .label_count = 2};
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, "+1 2:5\n-1 1:1\n", &form, &diag), CN_OK);
    cr_assert(set.width == 4 && set.y[0] == 1 && set.y[1] == 0);
    cr_assert(set.x[0] == -0.5f && set.x[1] == 2 && set.x[3] == -0.5f && set.x[4] == 0);
    dataset_free(&set);
    refuses("+1 5:1\n", &form, CN_E_DATA, "t.svm:1:4: '5:1' has an index beyond the task's");
    refuses("+1 1:1\n1 1:1\n", &form, CN_E_DATA, "t.svm:2:1: label '1' is none of");
}

Test(libsvm, loads_numbers_to_predict)
{
    struct data_column target = {.name = (char[]){"price"}, .mean = 10, .deviation = 5};
    struct data_form form = {.targets = &target, .target_count = 1};
    struct cn_diag diag;
    struct dataset set;

    cr_assert_eq(load(&set, "20 1:1\n7.5 1:2\n", &form, &diag), CN_OK);
    cr_assert(set.reals == 1 && !set.y && set.z[0] == 2 && set.z[1] == -0.5f);
    dataset_free(&set);
    refuses("x 1:1\n", &form, CN_E_DATA, "t.svm:1:1: 'x' is not a number to predict");
    form.target_count = 2;
    refuses("1 1:1\n", &form, CN_E_CONFIG, "one target");
}

Test(libsvm, tells_each_fault_with_its_place)
{
    refuses("1 1:1\n1 a\n", NULL, CN_E_DATA, "t.svm:2:3: 'a' is not index:value");
    refuses("1 1:\n", NULL, CN_E_DATA, "t.svm:1:3: '1:' is not index:value");
    refuses("1 1:x\n", NULL, CN_E_DATA, "t.svm:1:3: '1:x' has no number behind its colon");
    refuses("1 1:1 0:1\n", NULL, CN_E_DATA, "t.svm:1:7: '0:1' has the index 0");
    refuses("1 2:1 1:1\n", NULL, CN_E_DATA, "t.svm:1:7: '1:1' is out of order");
    refuses("1 2:1 2:1\n", NULL, CN_E_DATA, "twice");
    refuses("1 1048577:1\n", NULL, CN_E_DATA, "beyond 1048576");
    refuses("1 1:1e300\n", NULL, CN_E_DATA, "is too large");
    refuses("1:1 2:1\n", NULL, CN_E_DATA, "t.svm:1:1: '1:1' is no label");
    refuses("1\n", NULL, CN_E_DATA, "no pairs in it");
    refuses("# nothing\n", NULL, CN_E_DATA, "no pairs in it");
    refuses("# nothing\n", &(struct data_form){.width = 2}, CN_E_DATA, "no examples in it");
}
