/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn data split` of a folder of images: one walk counts them by class, a second copies each to
 * its part. Images are not decoded. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/data_split.h"
#include "cli/show.h"
#include "data/image_folder.h"
#include "data/split.h"

#define COPY_BYTES ((size_t)64 * 1024)

struct work {
    const char *source, *folder;
    uint32_t parts;
    uint32_t *y, *owner; /* [n] */
    size_t n, room;
    uint32_t classes;
    char class_name[CN_PATH_MAX]; /* the last one that was visited */
    size_t at;                    /* image of the second walk */
};

static enum cn_err make_room(struct work *work)
{
    size_t room = work->room ? 2 * work->room : 1024;
    uint32_t *y;

    if (work->n < work->room)
        return CN_OK;
    if (room > DATASET_EXAMPLES_MAX)
        return CN_E_TOO_LARGE;
    y = realloc(work->y, room * sizeof *y);
    if (!y)
        return CN_E_NOMEM;
    work->y = y;
    work->room = room;
    return CN_OK;
}

/* First walk. Classes come one after the other. */
static enum cn_err count_image(void *ctx, const char *class_name, const char *path,
                               struct cn_diag *diag)
{
    struct work *work = ctx;

    (void)path;
    (void)diag;
    CN_TRY(make_room(work));
    if (work->n == 0 || strcmp(work->class_name, class_name) != 0) {
        snprintf(work->class_name, sizeof work->class_name, "%s", class_name);
        work->classes++;
    }
    work->y[work->n++] = work->classes - 1;
    return CN_OK;
}

static enum cn_err refuse(const char *path, struct cn_diag *diag)
{
    int number = errno;

    cn_diag_set(diag, path, 0, 0, "can not be copied: %s", strerror(number));
    return cn_err_from_errno(number);
}

static enum cn_err copy_bytes(int to, int from)
{
    char bytes[COPY_BYTES];

    for (;;) {
        ssize_t got = read(from, bytes, sizeof bytes);

        if (got == 0)
            return CN_OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return cn_err_from_errno(errno);
        CN_TRY(cn_file_write_all(to, bytes, (size_t)got));
    }
}

static enum cn_err copy_file(const char *to, const char *from, struct cn_diag *diag)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    enum cn_err err = in < 0 ? refuse(from, diag) : out < 0 ? refuse(to, diag) : CN_OK;

    if (err == CN_OK) {
        err = copy_bytes(out, in);
        if (err != CN_OK)
            cn_diag_set(diag, to, 0, 0, "can not be written");
    }
    if (in >= 0)
        (void)close(in);
    if (out >= 0 && close(out) != 0 && err == CN_OK)
        err = refuse(to, diag);
    return err;
}

static enum cn_err part_path(char out[CN_PATH_MAX], const struct work *work, uint32_t part)
{
    char name[32];

    snprintf(name, sizeof name, "part-%u", part + 1);
    return cn_path_join(out, work->folder, name);
}

/* Second walk. */
static enum cn_err copy_image(void *ctx, const char *class_name, const char *path,
                              struct cn_diag *diag)
{
    struct work *work = ctx;
    char part[CN_PATH_MAX], folder[CN_PATH_MAX], to[CN_PATH_MAX];

    if (work->at == work->n) {
        cn_diag_set(diag, work->source, 0, 0, "changed while it was read");
        return CN_E_DATA;
    }
    if (work->owner[work->at++] == SPLIT_NOBODY)
        return CN_OK;
    CN_TRY(part_path(part, work, work->owner[work->at - 1]));
    CN_TRY(cn_path_join(folder, part, class_name));
    CN_TRY(cn_path_join(to, folder, strrchr(path, '/') + 1));
    CN_TRY(cn_folder_make(folder, 0755, diag));
    return copy_file(to, path, diag);
}

/* A part that is there may hold images of another split. */
static enum cn_err check_parts(const struct work *work, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];

    for (uint32_t part = 0; part < work->parts; part++) {
        CN_TRY(part_path(path, work, part));
        if (!cn_file_exists(path))
            continue;
        cn_diag_set(diag, path, 0, 0, "is there already");
        cn_diag_hint(diag, "remove it, or give another folder with --out");
        return CN_E_EXISTS;
    }
    return CN_OK;
}

static enum cn_err split(struct work *work, const struct cn_args *args, struct cn_diag *diag)
{
    struct data_split_deal deal = {.parts = work->parts};

    CN_TRY(check_parts(work, diag));
    CN_TRY(image_folder_each(work->source, count_image, work, diag));
    if (work->n == 0) {
        cn_diag_set(diag, work->source, 0, 0, "no images in folders of classes");
        return CN_E_DATA;
    }
    work->owner = malloc(work->n * sizeof *work->owner);
    if (!work->owner)
        return CN_E_NOMEM;
    deal.y = work->y;
    deal.n = work->n;
    deal.classes = work->classes;
    CN_TRY(data_split_deal(work->owner, &deal, args, diag));
    return image_folder_each(work->source, copy_image, work, diag);
}

static json_t *answer_json(const struct work *work)
{
    json_t *parts = json_array();
    char path[CN_PATH_MAX] = "";
    bool failed = !parts;

    for (uint32_t part = 0; part < work->parts && !failed; part++)
        failed = part_path(path, work, part) != CN_OK ||
                 json_array_append_new(
                     parts, json_pack("{s:o}", "data", json_sprintf("images:%s", path))) != 0;
    if (failed) {
        json_decref(parts);
        return NULL;
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:o}", "examples", (json_int_t)work->n, "classes",
                     (json_int_t)work->classes, "each", (json_int_t)(work->n / work->parts),
                     "left_over", (json_int_t)(work->n % work->parts), "parts", parts);
}

static int answer(const struct cn_args *args, const struct work *work)
{
    char count[SHOW_NUMBER_MAX];

    CN_ASSERT(work->parts > 0); /* the option's range */
    if (args->json)
        return show_json(args, answer_json(work), CN_EXIT_DONE);
    fprintf(args->out,
            "%u part%s of %s images each in %s\n\nThe first device's data: images:%s/part-1\n",
            work->parts, show_plural(work->parts), show_count(count, work->n / work->parts),
            work->folder, work->folder);
    return CN_EXIT_DONE;
}

int data_split_images(const struct cn_args *args, const struct data_source *source)
{
    struct work *work = calloc(1, sizeof *work);
    struct cn_diag diag = {0};
    enum cn_err err = CN_E_NOMEM;
    int code;

    if (work) {
        *work = (struct work){.source = source->path,
                              .folder = cn_args_text(args, "out"),
                              .parts = (uint32_t)cn_args_uint(args, "parts")};
        err = split(work, args, &diag);
    }
    code = err == CN_OK ? answer(args, work) : cn_args_fail(args, err, &diag);
    if (work) {
        free(work->y);
        free(work->owner);
    }
    free(work);
    return code;
}
