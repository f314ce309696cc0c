/* SPDX-License-Identifier: Apache-2.0 */
/* Folders in order, images into rows. */
#include "data/image_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "data/csv_labels.h"
#include "data/image.h"

struct names {
    char **all;
    size_t count;
    size_t room;
};

struct walk {
    struct dataset *set;
    struct csv_labels labels;
    struct intake intake;
    const struct intake_options *options;
    struct image_shape shape; /* height 0: not known yet */
    struct cn_diag *diag;
    const char *folder;
};

struct visit {
    const char *folder;
    image_visit_fn image;
    void *ctx;
    struct cn_diag *diag;
};

static void names_clear(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->all[i]);
    free(names->all);
    *names = (struct names){0};
}

static enum cn_err names_add(struct names *names, const char *name)
{
    if (names->count == IMAGE_NAMES_MAX)
        return CN_E_TOO_LARGE;
    if (names->count == names->room) {
        size_t room = names->room ? 2 * names->room : 64;
        char **all = realloc(names->all, room * sizeof *all);

        if (!all)
            return CN_E_NOMEM;
        names->all = all;
        names->room = room;
    }
    names->all[names->count] = strdup(name);
    return names->all[names->count] ? (names->count++, CN_OK) : CN_E_NOMEM;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum cn_err refuse_errno(const char *path, struct cn_diag *diag)
{
    int number = errno;

    cn_diag_set(diag, path, 0, 0, "can not be read: %s", strerror(number));
    if (number == ENOTDIR)
        cn_diag_hint(diag, "name the folder that holds a folder for every class");
    return number == ENOTDIR ? CN_E_DATA : cn_err_from_errno(number);
}

/* The names in a folder, sorted, but for those that begin with a dot. */
static enum cn_err names_read(struct names *names, const char *path, struct cn_diag *diag)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    enum cn_err err = CN_OK;

    *names = (struct names){0};
    if (!dir)
        return refuse_errno(path, diag);
    for (errno = 0; err == CN_OK && (entry = readdir(dir)); errno = 0)
        if (entry->d_name[0] != '.')
            err = names_add(names, entry->d_name);
    if (err == CN_OK && errno != 0)
        err = refuse_errno(path, diag);
    (void)closedir(dir);
    if (err == CN_E_TOO_LARGE)
        cn_diag_set(diag, path, 0, 0, "more than %zu files", IMAGE_NAMES_MAX);
    if (err == CN_OK && names->count)
        qsort(names->all, names->count, sizeof *names->all, by_bytes);
    return err;
}

/* Expects a folder, or a regular file. */
static enum cn_err expect(const char *path, bool folder, struct cn_diag *diag)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return refuse_errno(path, diag);
    if (folder ? S_ISDIR(info.st_mode) : S_ISREG(info.st_mode))
        return CN_OK;
    cn_diag_set(diag, path, 0, 0, "is no %s", folder ? "folder" : "regular file");
    cn_diag_hint(diag, "images lie in FOLDER/CLASS/, a folder for every class and nothing beside");
    return CN_E_DATA;
}

static enum cn_err join(char out[CN_PATH_MAX], const char *folder, const char *name,
                        struct cn_diag *diag)
{
    enum cn_err err = cn_path_join(out, folder, name);

    if (err != CN_OK)
        cn_diag_set(diag, folder, 0, 0, "the path of '%.100s' is too long", name);
    return err;
}

/* Fixes the shape by the first image where the form leaves it open, and makes the first rows. */
static enum cn_err start(struct walk *walk, const struct image *first)
{
    struct image_shape *shape = &walk->shape;

    shape->channels = shape->channels ? shape->channels : 3;
    shape->height = shape->height ? shape->height : first->height;
    shape->width = shape->width ? shape->width : first->width;
    *walk->set = (struct dataset){
        .channels = shape->channels, .height = shape->height, .width = shape->width};
    return intake_start(&walk->intake, walk->set, walk->options);
}

static enum cn_err take_image(void *ctx, const char *class_name, const char *path,
                              struct cn_diag *diag)
{
    struct walk *walk = ctx;
    struct csv_field label = {.text = class_name, .len = strlen(class_name)};
    struct image image;
    enum cn_err err;
    size_t row = 0;

    CN_TRY(image_load(&image, path, diag));
    err = walk->set->x ? CN_OK : start(walk, &image);
    if (err == CN_OK)
        err = intake_row(&walk->intake, &row, walk->folder, diag);
    if (err == CN_OK) {
        image_fit(walk->set->x + row * dataset_features(walk->set), &image, &walk->shape);
        err = csv_labels_add(&walk->labels, &walk->set->y[row], &label, diag);
    }
    image_free(&image);
    return err;
}

static enum cn_err visit_class(const struct visit *visit, const char *name)
{
    char folder[CN_PATH_MAX], path[CN_PATH_MAX];
    struct names names;
    enum cn_err err;

    CN_TRY(join(folder, visit->folder, name, visit->diag));
    CN_TRY(expect(folder, true, visit->diag));
    err = names_read(&names, folder, visit->diag);
    for (size_t i = 0; err == CN_OK && i < names.count; i++) {
        err = join(path, folder, names.all[i], visit->diag);
        if (err == CN_OK)
            err = expect(path, false, visit->diag);
        if (err == CN_OK)
            err = visit->image(visit->ctx, name, path, visit->diag);
    }
    names_clear(&names);
    return err;
}

enum cn_err image_folder_each(const char *folder, image_visit_fn visit, void *ctx,
                              struct cn_diag *diag)
{
    struct visit all = {folder, visit, ctx, diag};
    struct names classes;
    enum cn_err err = names_read(&classes, folder, diag);

    for (size_t i = 0; err == CN_OK && i < classes.count; i++)
        err = visit_class(&all, classes.all[i]);
    names_clear(&classes);
    return err;
}

static enum cn_err take_all(struct walk *walk)
{
    CN_TRY(image_folder_each(walk->folder, take_image, walk, walk->diag));
    CN_TRY(
        intake_finish(&walk->intake, walk->folder, "no images in folders of classes", walk->diag));
    return csv_labels_finish(&walk->labels, walk->set, walk->diag);
}

enum cn_err image_folder_load(struct dataset *set, const char *folder,
                              const struct intake_options *intake, const struct data_form *form,
                              struct cn_diag *diag)
{
    struct walk walk = {.set = set,
                        .labels = {.form = form, .path = folder},
                        .options = intake,
                        .shape = {.deviation = 1},
                        .diag = diag,
                        .folder = folder};
    enum cn_err err;

    *set = (struct dataset){0};
    if (form)
        walk.shape = (struct image_shape){form->channels, form->height, form->width, form->mean,
                                          form->deviation > 0 ? form->deviation : 1};
    if (walk.shape.channels != 0 && walk.shape.channels != 1 && walk.shape.channels != 3) {
        cn_diag_set(diag, folder, 0, 0, "images have 1 channel or 3, the task asks for %u",
                    walk.shape.channels);
        return CN_E_SHAPE;
    }
    err = take_all(&walk);
    if (err != CN_OK)
        dataset_free(set);
    csv_labels_clear(&walk.labels);
    return err;
}
