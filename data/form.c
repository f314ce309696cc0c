/* SPDX-License-Identifier: Apache-2.0 */
/* Expectations about shapes. */
#include "data/form.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

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

uint32_t data_column_values(const struct data_column *column)
{
    uint32_t values = 1;

    if (column->kind == DATA_COLUMN_CATEGORY)
        values = column->category_count + (column->unknown == DATA_UNKNOWN_COLUMN);
    return values + column->indicator;
}

uint32_t data_form_values(const struct data_form *form)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < form->column_count; i++)
        sum += data_column_values(&form->columns[i]);
    return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

static enum cn_err refuse(const struct data_column *column, const char *what, struct cn_diag *diag)
{
    cn_diag_set(diag, NULL, 0, 0, "column '%.63s': %s", column->name, what);
    return CN_E_CONFIG;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The first word of the list, sorted, that stands in it twice; *twice is NULL when none does. */
static enum cn_err find_twice(const char **twice, char *const *words, uint32_t count)
{
    char **sorted = calloc(count ? count : 1, sizeof *sorted);

    *twice = NULL;
    if (!sorted)
        return CN_E_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = words[i];
    qsort(sorted, count, sizeof *sorted, by_text);
    for (uint32_t i = 1; i < count && !*twice; i++)
        if (strcmp(sorted[i], sorted[i - 1]) == 0)
            *twice = sorted[i];
    free(sorted);
    return CN_OK;
}

static enum cn_err check_category(const struct data_column *column, struct cn_diag *diag)
{
    const char *twice;

    if (column->category_count == 0)
        return refuse(column, "type category needs the list 'categories'", diag);
    if (column->mean != 0 || (column->deviation != 0 && column->deviation != 1))
        return refuse(column, "'mean' and 'deviation' are for numbers", diag);
    if (column->missing == DATA_MISSING_MEAN || column->missing == DATA_MISSING_FILL)
        return refuse(column, "categories have no mean or fill; 'missing: refuse' or 'zeros'",
                      diag);
    CN_TRY(find_twice(&twice, column->categories, column->category_count));
    if (!twice)
        return CN_OK;
    cn_diag_set(diag, NULL, 0, 0, "column '%.63s': the category '%.63s' is listed twice",
                column->name, twice);
    return CN_E_CONFIG;
}

enum cn_err data_column_check(const struct data_column *column, struct cn_diag *diag)
{
    if (column->kind == DATA_COLUMN_CATEGORY)
        CN_TRY(check_category(column, diag));
    else if (column->category_count)
        return refuse(column, "'categories' are for 'type: category'", diag);
    else if (column->unknown != DATA_UNKNOWN_REFUSE)
        return refuse(column, "'unknown' is for 'type: category'", diag);
    else if (column->missing == DATA_MISSING_ZEROS)
        return refuse(column, "'missing: zeros' is for 'type: category'; numbers take 'mean'",
                      diag);
    if (column->fill != 0 && column->missing != DATA_MISSING_FILL)
        return refuse(column, "'fill' is for 'missing: fill'", diag);
    if (column->indicator && column->missing == DATA_MISSING_REFUSE)
        return refuse(column, "an 'indicator' of missing values, which 'missing' refuses", diag);
    return CN_OK;
}

/* Characters of valid UTF-8. */
static uint32_t count_characters(const char *text)
{
    uint32_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

uint32_t data_text_vocabulary(const struct data_text *text)
{
    if (!text || text->unit == DATA_UNIT_BYTE)
        return 256;
    if (text->unit == DATA_UNIT_CHARACTER)
        return DATA_TOKENS_LISTED + count_characters(text->characters);
    return DATA_TOKENS_LISTED + text->word_count;
}

/* The bytes of the character at text, which is valid UTF-8. */
static size_t character_bytes(const char *text)
{
    size_t len = 1;

    while (((unsigned char)text[len] & 0xc0) == 0x80)
        len++;
    return len;
}

static enum cn_err check_characters(const char *all, struct cn_diag *diag)
{
    if (!all || !cn_utf8_valid(all, strlen(all), NULL)) {
        cn_diag_set(diag, NULL, 0, 0, "'unit: character' needs 'characters', as UTF-8");
        return CN_E_CONFIG;
    }
    for (const char *at = all; *at; at += character_bytes(at)) {
        char one[8] = {0};

        memcpy(one, at, character_bytes(at));
        if (!strstr(at + character_bytes(at), one))
            continue;
        cn_diag_set(diag, NULL, 0, 0, "the character '%s' is listed twice in 'characters'", one);
        return CN_E_CONFIG;
    }
    return CN_OK;
}

static enum cn_err check_words(const struct data_text *text, struct cn_diag *diag)
{
    const char *twice;

    if (text->word_count == 0) {
        cn_diag_set(diag, NULL, 0, 0, "'unit: word' needs the list 'words'");
        return CN_E_CONFIG;
    }
    for (uint32_t i = 0; i < text->word_count; i++) {
        if (strpbrk(text->words[i], " \t\r\n") && strcmp(text->words[i], "\n") != 0) {
            cn_diag_set(diag, NULL, 0, 0, "the word '%.63s' has blanks in it", text->words[i]);
            cn_diag_hint(diag, "only the line feed may be listed, as \"\\n\": it ends targets");
            return CN_E_CONFIG;
        }
    }
    CN_TRY(find_twice(&twice, text->words, text->word_count));
    if (!twice)
        return CN_OK;
    cn_diag_set(diag, NULL, 0, 0, "the word '%.63s' is listed twice in 'words'", twice);
    return CN_E_CONFIG;
}

enum cn_err data_text_check(const struct data_text *text, struct cn_diag *diag)
{
    if ((text->unit != DATA_UNIT_CHARACTER && text->characters) ||
        (text->unit != DATA_UNIT_WORD && text->word_count)) {
        cn_diag_set(diag, NULL, 0, 0,
                    "'characters' go with 'unit: character', 'words' with "
                    "'unit: word'");
        return CN_E_CONFIG;
    }
    if (text->unit == DATA_UNIT_CHARACTER)
        return check_characters(text->characters, diag);
    return text->unit == DATA_UNIT_WORD ? check_words(text, diag) : CN_OK;
}
