/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_world.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/idx.h"

TestSuite(data, .init = scratch_make, .fini = world_clear);

#define N 50

/* Fifty images of 2 x 2 whose pixels name them, labelled 0 to 4 in turn. */
static void make_images(void)
{
    static uint8_t pixels[N * 4], labels[N];
    struct idx x = {.bytes = pixels, .dims = {N, 2, 2}, .dim_count = 3};
    struct idx y = {.bytes = labels, .dims = {N}, .dim_count = 1};

    for (unsigned i = 0; i < N; i++) {
        memset(pixels + (size_t)4 * i, (int)i, 4);
        labels[i] = (uint8_t)(i % 5);
    }
    cr_assert_eq(idx_save(scratch_path("x.gz"), &x, NULL), CN_OK);
    cr_assert_eq(idx_save(scratch_path("y.gz"), &y, NULL), CN_OK);
}

static int split(const char *out, const char *extra)
{
    return world_runf("data split --data idx:%s/x.gz,%s/y.gz --out %s/%s %s", scratch_folder,
                      scratch_folder, scratch_folder, out, extra);
}

/* Adds which examples a part holds; labels must have come along. */
static void gather(bool seen[N], const char *folder, unsigned part, size_t each)
{
    char name[64];
    struct idx x, y;

    snprintf(name, sizeof name, "%s/part-%u-images.gz", folder, part);
    cr_assert_eq(idx_load(&x, scratch_path(name), NULL), CN_OK);
    snprintf(name, sizeof name, "%s/part-%u-labels.gz", folder, part);
    cr_assert_eq(idx_load(&y, scratch_path(name), NULL), CN_OK);
    cr_assert(x.dims[0] == each && y.dims[0] == each && x.dims[1] == 2 && x.dims[2] == 2);
    for (size_t i = 0; i < each; i++) {
        unsigned which = x.bytes[4 * i];

        cr_assert(which < N && !seen[which] && y.bytes[i] == which % 5);
        seen[which] = true;
    }
    idx_free(&x);
    idx_free(&y);
}

Test(data, splits_into_parts_that_hold_everything_once)
{
    static const char *const ways[] = {"", " --dirichlet 0.5"};

    make_images();
    for (size_t way = 0; way < 2; way++) {
        bool seen[N] = {false};
        size_t count = 0;

        cr_assert_eq(split("out", way ? "--parts 7 --dirichlet 0.5" : "--parts 7"), 0);
        SAYS(world_out, "7 parts of 7 examples each");
        for (unsigned part = 1; part <= 7; part++)
            gather(seen, "out", part, 7);
        for (size_t i = 0; i < N; i++)
            count += seen[i];
        cr_assert_eq(count, 49, "%s", ways[way]);
    }
}

Test(data, splits_the_same_way_for_the_same_seed)
{
    bool one[N] = {false}, two[N] = {false}, three[N] = {false};

    make_images();
    cr_assert_eq(split("a", "--parts 5 --dirichlet 1 --seed 3"), 0);
    cr_assert_eq(split("b", "--parts 5 --dirichlet 1 --seed 3"), 0);
    cr_assert_eq(split("c", "--parts 5 --dirichlet 1 --seed 4"), 0);
    gather(one, "a", 1, 10);
    gather(two, "b", 1, 10);
    gather(three, "c", 1, 10);
    cr_assert(memcmp(one, two, sizeof one) == 0 && memcmp(one, three, sizeof one) != 0);
}

Test(data, says_the_split_in_json)
{
    json_t *answer, *parts, *counts;
    json_int_t sum = 0;

    make_images();
    cr_assert_eq(split("out", "--parts 4 --dirichlet 1 --json"), 0);
    answer = world_json();
    parts = json_object_get(answer, "parts");
    cr_assert_eq(json_array_size(parts), 4);
    cr_assert_eq(json_integer_value(json_object_get(answer, "each")), 12);
    cr_assert_eq(json_integer_value(json_object_get(answer, "left_over")), 2);
    counts = json_object_get(json_array_get(parts, 3), "counts");
    for (size_t c = 0; c < 5; c++)
        sum += json_integer_value(json_array_get(counts, c));
    cr_assert_eq(sum, 12);
    cr_assert_eq(world_runf("data inspect --data %s --json",
                            json_string_value(json_object_get(json_array_get(parts, 3), "data"))),
                 0);
    json_decref(answer);
    json_decref(world_json());
}

Test(data, refuses_splits_that_make_no_sense)
{
    make_images();
    cr_assert_eq(split("out", "--parts 51"), 2);
    SAYS(world_err, "51 parts of 50 examples");
    cr_assert_eq(split("out", "--parts 0"), 2);
    cr_assert_eq(split("out", "--parts 2 --dirichlet 0"), 2);
    cr_assert_eq(world_runf("data split --data images:t --parts 2 --out %s", scratch_folder), 3);
    SAYS(world_err, "t: can not be read: No such file");
    cr_assert_eq(world_runf("data split --data idx:%s/y.gz,%s/x.gz --parts 2 --out %s/o",
                            scratch_folder, scratch_folder, scratch_folder),
                 3);
    SAYS(world_err, "one label for each");
    scratch_text("file", "");
    cr_assert_eq(split("file/out", "--parts 2"), 3);
}

Test(data, inspects_images_and_tables)
{
    json_t *answer;

    make_images();
    cr_assert_eq(
        world_runf("data inspect --data idx:%s/x.gz,%s/y.gz", scratch_folder, scratch_folder), 0);
    SAYS(world_out, "examples   50");
    SAYS(world_out, "1 x 2 x 2");
    scratch_text("t.csv", "a,b,y\n1,3,0\n5,3,1\n");
    cr_assert_eq(world_runf("data inspect --data csv:%s/t.csv,label=y --json", scratch_folder), 0);
    answer = world_json();
    cr_assert_eq(json_integer_value(json_object_get(answer, "examples")), 2);
    cr_assert_float_eq(json_real_value(json_object_get(answer, "mean")), 3, 1e-9);
    cr_assert_float_eq(json_real_value(json_object_get(answer, "deviation")), 1.41421356, 1e-6);
    cr_assert_eq(json_integer_value(json_array_get(json_object_get(answer, "counts"), 1)), 1);
    json_decref(answer);
}

Test(data, tells_faults_of_files_with_their_place)
{
    scratch_text("t.csv", "a,y\n1,0\nx,1\n");
    cr_assert_eq(world_runf("data inspect --data csv:%s/t.csv,label=y", scratch_folder), 3);
    SAYS(world_err, "t.csv:3:1: column 'a': 'x' is not a number");
    cr_assert_eq(world_runf("data inspect --data csv:%s/t.csv,label=y --json", scratch_folder), 3);
    json_decref(world_json());
    cr_assert_eq(world_run("data inspect --data nothing"), 2);
}

/* Adds the numbers before the comma, tab or end of the lines behind `skip` to seen, each once. */
static size_t gather_lines(bool seen[N], const char *name, size_t skip)
{
    size_t len, count = 0;
    char *text = (char *)scratch_read(scratch_path(name), &len), *rest = NULL;

    text[len] = '\0';
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *number = strpbrk(line, ":=");
        unsigned long value;

        if (skip > 0) {
            skip--;
            continue;
        }
        cr_assert(number, "%s", line);
        value = strtoul(number + 1, NULL, 10);
        cr_assert(value < N && !seen[value], "%s", line);
        seen[value] = true;
        count++;
    }
    return count;
}

Test(data, splits_files_of_lines_and_keeps_each_record_once)
{
    static const struct {
        const char *file, *head, *line, *source, *part;
    } cases[] = {
        {"t.csv", "a,y\n", "\"v,=%u\",%u\n", "csv:%s/t.csv,label=y", "csv"},
        {"t.tsv", "a\ty\n", "v=%u\t%u\n", "tsv:%s/t.tsv,label=2", "tsv"},
        {"t.svm", "", "%2$u 1:%1$u\n", "libsvm:%s/t.svm", "libsvm"},
        {"l.txt", "", "%2$u\tv=%1$u\n\n", "text:%s/l.txt,label=1", "text"},
        {"s.txt", "", "v=%u %u\n", "text:%s/s.txt", "text"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[4096], source[512], name[64];
        bool seen[N] = {false};
        size_t count = 0;

        strcpy(text, cases[i].head);
        for (unsigned n = 0; n < N; n++)
            sprintf(text + strlen(text), cases[i].line, n, n % 3);
        scratch_text(cases[i].file, text);
        snprintf(source, sizeof source, cases[i].source, scratch_folder);
        cr_assert_eq(world_runf("data split --data %s --parts 4 --out %s/o%zu --json", source,
                                scratch_folder, i),
                     0, "%s", world_err);
        json_decref(world_json());
        for (unsigned part = 1; part <= 4; part++) {
            snprintf(name, sizeof name, "o%zu/part-%u.%s", i, part, cases[i].part);
            cr_assert_eq(gather_lines(seen, name, cases[i].head[0] != '\0'), N / 4, "%s", name);
            count += N / 4;
        }
        cr_assert_eq(count, 48);
        cr_assert_eq(
            world_runf("data split --data %s --parts 4 --out %s/o%zu", source, scratch_folder, i),
            3);
        SAYS(world_err, "is there already");
        cr_assert_eq(world_runf("data split --data %s --parts 3 --dirichlet 0.5 --out %s/d%zu",
                                source, scratch_folder, i),
                     i == 4 ? 2 : 0, "%s", world_err);
    }
}

Test(data, splits_pairs_by_lines)
{
    char path[CN_PATH_MAX];

    snprintf(path, sizeof path, "%s", scratch_text("p.tsv", "a\tA\n\nb\tB\nc\tC\nd\tD\n"));
    cr_assert_eq(
        world_runf("data split --data pairs:%s --parts 2 --out %s/p", path, scratch_folder), 0);
    SAYS(world_out, "2 parts of 2 examples each");
    SAYS(world_out, "p/part-1.pairs");
    cr_assert_eq(world_runf("data inspect --data pairs:%s/p/part-2.pairs", scratch_folder), 0);
    SAYS(world_out, "examples   2");
    cr_assert_eq(world_runf("data split --data pairs:%s --parts 2 --dirichlet 1 --out %s/q", path,
                            scratch_folder),
                 2);
    SAYS(world_err, "no labels to be uneven over");
}

/* Twelve files in two classes; a split does not decode them. */
static void make_image_files(void)
{
    char name[32];

    cr_assert(mkdir(scratch_path("in"), 0700) == 0 && mkdir(scratch_path("in/cat"), 0700) == 0 &&
              mkdir(scratch_path("in/dog"), 0700) == 0);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "in/%s/%d.png", i < 8 ? "cat" : "dog", i);
        scratch_text(name, name);
    }
}

Test(data, copies_every_image_to_one_part)
{
    char name[64];

    make_image_files();
    cr_assert_eq(world_runf("data split --data images:%s/in --parts 3 --out %s/out --json",
                            scratch_folder, scratch_folder),
                 0);
    SAYS(world_out, "out/part-3");
    for (int i = 0; i < 12; i++) {
        int found = 0;

        for (int part = 1; part <= 3; part++) {
            size_t len;
            unsigned char *bytes;

            snprintf(name, sizeof name, "out/part-%d/%s/%d.png", part, i < 8 ? "cat" : "dog", i);
            if (access(scratch_path(name), F_OK) != 0)
                continue;
            found++;
            bytes = scratch_read(scratch_path(name), &len);
            cr_assert(len > 4 && memcmp(bytes, "in/", 3) == 0);
        }
        cr_assert_eq(found, 1, "image %d is in %d parts", i, found);
    }
    cr_assert_eq(world_runf("data split --data images:%s/in --parts 3 --out %s/out", scratch_folder,
                            scratch_folder),
                 3);
    SAYS(world_err, "part-1: is there already");
    cr_assert_eq(world_runf("data split --data images:%s/in --parts 13 --out %s/other",
                            scratch_folder, scratch_folder),
                 2);
    SAYS(world_err, "13 parts of 12 examples");
}

Test(data, splits_images_unevenly_over_classes_and_refuses_what_is_no_class)
{
    make_image_files();
    cr_assert_eq(world_runf("data split --data images:%s/in --parts 2 --dirichlet 0.5 --out %s/o",
                            scratch_folder, scratch_folder),
                 0);
    SAYS(world_out, "2 parts of 6 images each");
    scratch_text("in/note.txt", "x");
    cr_assert_eq(world_runf("data split --data images:%s/in --parts 2 --out %s/p", scratch_folder,
                            scratch_folder),
                 3);
    SAYS(world_err, "note.txt: is no folder");
    cr_assert_eq(access(scratch_path("p"), F_OK), -1);
}
