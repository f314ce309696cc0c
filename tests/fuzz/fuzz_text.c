/* SPDX-License-Identifier: Apache-2.0 */
/* Text from anywhere as bytes, characters and words, as a stream, labelled lines and pairs: every
 * token is below the vocabulary, every target too or ignored; what does not load says why. */
#include <stdint.h>

#include "data/text.h"
#include "memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *path, struct text_options options, const struct data_text *how)
{
    struct data_form form = {.text = how};
    struct cn_diag diag = {0};
    struct dataset set;

    if (text_load(&set, path, &options, &form, &diag) != CN_OK) {
        CN_ASSERT(diag.text[0] && !set.x && !set.y);
        return;
    }
    CN_ASSERT(set.n > 0 && set.width == options.length &&
              set.vocabulary == data_text_vocabulary(how));
    for (size_t i = 0; i < set.n * set.width; i++)
        CN_ASSERT(set.x[i] >= 0 && set.x[i] < (float)set.vocabulary);
    for (size_t i = 0; i < set.n * dataset_targets(&set); i++)
        CN_ASSERT(set.y[i] < set.classes || set.y[i] == DATASET_IGNORE);
    dataset_free(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *words[] = {(char[]){"the"}, (char[]){"a"}, (char[]){"\n"}};
    struct data_text hows[] = {
        {.unit = DATA_UNIT_BYTE},
        {.unit = DATA_UNIT_CHARACTER, .characters = "ab\xc3\xa4\n"},
        {.unit = DATA_UNIT_WORD, .words = words, .word_count = 3},
    };
    struct memory_file file;

    memory_file_open(&file, data, size);
    for (size_t i = 0; i < 3; i++) {
        check(file.path, (struct text_options){.length = 3}, &hows[i]);
        check(file.path, (struct text_options){.labelled = true, .length = 3}, &hows[i]);
        check(file.path, (struct text_options){.pairs = true, .length = 4}, &hows[i]);
    }
    memory_file_close(&file);
    return 0;
}
