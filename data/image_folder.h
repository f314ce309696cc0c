/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of PNG and JPEG images with a folder per class: FOLDER/CLASS/anything.png. */
#ifndef CAIRN_DATA_IMAGE_FOLDER_H
#define CAIRN_DATA_IMAGE_FOLDER_H

#include "base/diag.h"
#include "base/err.h"
#include "data/dataset.h"
#include "data/form.h"
#include "data/intake.h"

#define IMAGE_NAMES_MAX ((size_t)1 << 24) /* in one folder */

/* Called for every image: the name of its class and its path, which are valid until it returns. */
typedef enum cn_err (*image_visit_fn)(void *ctx, const char *class_name, const char *path,
                                      struct cn_diag *diag);

/* Visits all images in order: classes, then files, by the bytes of their names; without opening
 * them. Ends at the first error, its own or visit's. CN_E_DATA with the name of what should not be
 * there, CN_E_TOO_LARGE, CN_E_NOT_FOUND, CN_E_IO, CN_E_NOMEM. */
enum cn_err image_folder_each(const char *folder, image_visit_fn visit, void *ctx,
                              struct cn_diag *diag);

/* Loads all images, or a sample of them. Returns ownership, to dataset_free; each is fitted to the
 * form's shape (image.h), or where the form has none to RGB of the first image's size. The folders'
 * names become classes as labels do in csv.h. Names that begin with a dot are passed over; all
 * others must be what they are expected to be. Order: classes, then files, by the bytes of their
 * names.
 *
 * CN_E_DATA with the file's name: no class, no image, a file among the classes, a folder or another
 * kind of file among the images, a damaged image, a class that is none of the task's; CN_E_SHAPE
 * when the form's channels are neither 1 nor 3; CN_E_TOO_LARGE, CN_E_NOT_FOUND, CN_E_IO,
 * CN_E_NOMEM. */
enum cn_err image_folder_load(struct dataset *set, const char *folder,
                              const struct intake_options *intake, const struct data_form *form,
                              struct cn_diag *diag);

#endif
