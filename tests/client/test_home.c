/* SPDX-License-Identifier: Apache-2.0 */
#include "client_fixture.h"

#include <sys/stat.h>

static struct fixture f;

static void open_it(void)
{
    fixture_open(&f);
}

static void close_it(void)
{
    fixture_close(&f);
}

TestSuite(home, .init = open_it, .fini = close_it);

Test(home, a_joined_folder_opens_and_holds_a_certificate_under_the_registrar)
{
    uint8_t registrar[SIGN_PUBLIC_BYTES];
    struct home *home;

    MUST(fixture_join(&f, NULL));
    MUST(home_open(&home, f.dir, NULL, f.clock, NULL));
    sign_key_public(f.registrar, registrar);
    MUST(certificate_check(&home->certificate, registrar));
    cr_assert_str_eq(home->certificate.name, "silo-1");
    cr_assert(home_is_running(f.dir));
    home_close(home);
    cr_assert(!home_is_running(f.dir));
}

Test(home, keys_are_readable_by_the_owner_alone)
{
    char path[CN_PATH_MAX];
    struct stat info;

    MUST(fixture_join(&f, NULL));
    MUST(cn_path_join(path, f.dir, "device.key"));
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_eq(info.st_mode & 0777, 0600);
}

Test(home, a_second_join_never_touches_a_device)
{
    struct certificate before, after;
    struct cn_diag diag = {0};

    MUST(fixture_join(&f, NULL));
    MUST(home_read_certificate(&before, f.dir, NULL));
    cr_assert_eq(fixture_join(&f, &diag), CN_E_EXISTS);
    cr_assert_not_null(strstr(diag.hint, "cairn-client run"));
    MUST(home_read_certificate(&after, f.dir, NULL));
    cr_assert_eq(memcmp(before.device, after.device, sizeof before.device), 0);
}

/* A join that failed took such a ledger away, and with it what was spent. */
Test(home, the_ledger_of_a_device_without_its_key_is_never_joined_over)
{
    struct cn_diag diag = {0};
    char path[CN_PATH_MAX];

    MUST(cn_folder_make(f.dir, 0700, NULL));
    fixture_write(&f, HOME_LEDGER_FILE, "what was spent\n");
    cr_assert_eq(fixture_join(&f, &diag), CN_E_EXISTS);
    cr_assert_not_null(strstr(diag.hint, "another folder"));
    MUST(cn_path_join(path, f.dir, "device.key"));
    cr_assert_not(cn_file_exists(path));
}

Test(home, two_processes_do_not_share_a_folder)
{
    struct home *first, *second;

    MUST(fixture_join(&f, NULL));
    MUST(home_open(&first, f.dir, NULL, f.clock, NULL));
    cr_assert_eq(home_open(&second, f.dir, NULL, f.clock, NULL), CN_E_BUSY);
    cr_assert_null(second);
    home_close(first);
}

Test(home, an_empty_folder_says_to_join)
{
    struct cn_diag diag = {0};
    struct home *home;

    cr_assert_eq(home_open(&home, f.base, NULL, f.clock, &diag), CN_E_NOT_FOUND);
    cr_assert_not_null(strstr(diag.hint, "join"));
}

Test(home, another_registrar_in_the_configuration_is_refused)
{
    struct client_config config;
    struct cn_diag diag = {0};
    struct home *home;

    MUST(fixture_join(&f, NULL));
    MUST(client_config_load(&config, f.dir, NULL));
    config.registrar[0] ^= 1;
    MUST(client_config_save(&config, f.dir, NULL));
    cr_assert_eq(home_open(&home, f.dir, NULL, f.clock, &diag), CN_E_AUTH);
    cr_assert_not_null(strstr(diag.text, "do not belong together"));
}

Test(home, a_truncated_certificate_is_told)
{
    struct cn_diag diag = {0};
    struct home *home;

    MUST(fixture_join(&f, NULL));
    fixture_write(&f, "device.crt", "\x01 short");
    cr_assert_eq(home_open(&home, f.dir, NULL, f.clock, &diag), CN_E_DATA);
    cr_assert_not_null(strstr(diag.text, "not a device's certificate"));
}

Test(home, a_changed_ledger_stops_the_device)
{
    struct cn_diag diag = {0};
    struct home *home;
    char path[CN_PATH_MAX];
    struct cn_buf text;
    char *digit;

    MUST(fixture_join(&f, NULL));
    MUST(home_open(&home, f.dir, NULL, f.clock, NULL));
    home_close(home);
    MUST(cn_path_join(path, f.dir, HOME_LEDGER_FILE));
    MUST(cn_file_read(&text, path, 1 << 16, NULL));
    digit = strstr((char *)text.data, "1800000000");
    cr_assert_not_null(digit);
    digit[9] = '1';
    MUST(cn_file_write(path, text.data, text.len, 0600, NULL));
    cn_buf_clear(&text);
    cr_assert_eq(home_open(&home, f.dir, NULL, f.clock, &diag), CN_E_TAMPERED);
}

Test(home, remove_takes_away_only_what_join_made)
{
    MUST(fixture_join(&f, NULL));
    fixture_write(&f, "notes.txt", "mine");
    home_remove(f.dir);
    cr_assert(cn_file_exists(f.dir));
    MUST(fixture_join(&f, NULL));
}
