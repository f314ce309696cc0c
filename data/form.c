/* SPDX-License-Identifier: Apache-2.0 */
/* Expectations about shapes. */
#include "data/form.h"

enum cn_err data_form_check(const struct data_form *form, uint32_t channels, uint32_t height,
                            uint32_t width, const char *place, struct cn_diag *diag)
{
    if (!form || ((form->channels == 0 || form->channels == channels) &&
                  (form->height == 0 || form->height == height) &&
                  (form->width == 0 || form->width == width)))
        return CN_OK;
    cn_diag_set(diag, place, 0, 0,
                "holds examples of %u x %u x %u (channels x height x width), expected %u x %u x %u",
                channels, height, width, form->channels, form->height, form->width);
    cn_diag_hint(diag, "give the data that the task was written for");
    return CN_E_SHAPE;
}
