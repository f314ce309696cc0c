/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/registry.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/text.h"
#include "folder.h"

static struct registry registry;

static void setup(void)
{
    test_folder_make();
    cr_assert_eq((int)registry_open(&registry, test_folder, NULL), (int)CN_OK);
}

TestSuite(registry, .init = setup, .fini = test_folder_remove);

static const char *path_of(const uint8_t hash[HASH_BYTES])
{
    char name[2 * HASH_BYTES + 1 + 8] = "blobs/";
    cn_hex_encode(name + 6, hash, HASH_BYTES);
    return test_path(name);
}

Test(registry, gives_back_what_it_was_given)
{
    uint8_t hash[HASH_BYTES];
    struct blob *blob = NULL;
    cr_assert_eq((int)registry_put(&registry, hash, "stone", 5, NULL), (int)CN_OK);
    cr_assert_eq((int)registry_put(&registry, hash, "stone", 5, NULL), (int)CN_OK);
    cr_assert(registry_has(&registry, hash));
    cr_assert_eq((int)registry_get(&registry, &blob, hash, 5, NULL), (int)CN_OK);
    cr_assert_eq(blob->len, 5);
    cr_assert_arr_eq(blob->bytes, "stone", 5);
    cr_assert_arr_eq(blob->hash, hash, HASH_BYTES);
    struct blob *again = blob_hold(blob);
    blob_drop(blob);
    cr_assert_arr_eq(again->bytes, "stone", 5);
    blob_drop(again);
}

Test(registry, says_what_is_missing_too_large_or_damaged)
{
    uint8_t hash[HASH_BYTES] = {1};
    struct blob *blob = NULL;
    struct cn_diag diag = {0};
    cr_assert_not(registry_has(&registry, hash));
    cr_assert_eq((int)registry_get(&registry, &blob, hash, 5, NULL), (int)CN_E_NOT_FOUND);
    cr_assert_eq((int)registry_put(&registry, hash, "stone", 5, NULL), (int)CN_OK);
    cr_assert_eq((int)registry_get(&registry, &blob, hash, 4, NULL), (int)CN_E_TOO_LARGE);
    FILE *file = fopen(path_of(hash), "w");
    fputs("stony", file);
    fclose(file);
    cr_assert_eq((int)registry_get(&registry, &blob, hash, 5, &diag), (int)CN_E_DATA);
    cr_assert(strstr(diag.text, "damaged"));
    cr_assert_null(blob);
}

Test(registry, publishes_the_latest_model_under_the_tasks_name)
{
    struct cn_buf text;
    char path[CN_PATH_MAX];
    cr_assert_eq((int)registry_publish(&registry, "digits", "one", 3, NULL), (int)CN_OK);
    cr_assert_eq((int)registry_publish(&registry, "digits", "two", 3, NULL), (int)CN_OK);
    cr_assert_eq((int)registry_latest(&registry, path, "digits"), (int)CN_OK);
    cr_assert_str_eq(path, test_path("models/digits-latest.safetensors"));
    cr_assert_eq((int)cn_file_read(&text, path, 10, NULL), (int)CN_OK);
    cr_assert_arr_eq(text.data, "two", 3);
    cn_buf_clear(&text);
}

Test(registry, collects_only_blobs_that_nobody_keeps)
{
    uint8_t keep[1][HASH_BYTES], drop[HASH_BYTES];
    size_t removed = 0;
    cr_assert_eq((int)registry_put(&registry, keep[0], "keep", 4, NULL), (int)CN_OK);
    cr_assert_eq((int)registry_put(&registry, drop, "drop", 4, NULL), (int)CN_OK);
    test_write("blobs/README", "not ours");
    const uint8_t(*list)[HASH_BYTES] = (const uint8_t(*)[HASH_BYTES])keep;
    cr_assert_eq((int)registry_collect(&registry, list, 1, &removed), (int)CN_OK);
    cr_assert_eq(removed, 1);
    cr_assert(registry_has(&registry, keep[0]));
    cr_assert_not(registry_has(&registry, drop));
    cr_assert(cn_file_exists(test_path("blobs/README")));
}
