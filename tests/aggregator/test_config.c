/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config.h"

#include <criterion/criterion.h>
#include <string.h>

#include "folder.h"

TestSuite(config, .init = test_folder_make, .fini = test_folder_remove);

#define GOOD                                                                                       \
    "name: here\nlisten: {host: 127.0.0.1, port: 7000}\npublic: {host: fl.example.org, port: 1}\n" \
    "registrar:\n"                                                                                 \
    "  public: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"

static void expect_fault(const char *text, const char *words)
{
    struct config config;
    struct cn_diag diag = {0};
    char line[CN_DIAG_LINE_MAX];
    test_write(CONFIG_FILE, text);
    cr_assert_eq((int)config_load(&config, test_folder, &diag), (int)CN_E_CONFIG, "%s", text);
    cr_assert(strstr(cn_diag_line(&diag, line), words), "%s", line);
}

Test(config, comes_back_as_it_was_saved)
{
    struct config out, in;
    config_init(&out);
    memset(out.registrar, 0x5a, sizeof(out.registrar));
    snprintf(out.public_host, sizeof(out.public_host), "2001:db8::1");
    out.listen_port = 0;
    out.grace_s = 0;
    cr_assert_eq((int)config_save(&out, test_folder, NULL), (int)CN_OK);
    struct cn_diag diag = {0};
    cr_assert_eq((int)config_load(&in, test_folder, &diag), (int)CN_OK, "%s", diag.text);
    cr_assert_str_eq(in.public_host, "2001:db8::1");
    cr_assert_str_eq(in.listen_host, out.listen_host);
    cr_assert_str_eq(in.registrar_key, "registrar.key");
    cr_assert_arr_eq(in.registrar, out.registrar, SIGN_PUBLIC_BYTES);
    cr_assert_eq(in.listen_port, 0);
    cr_assert_eq(in.grace_s, 0);
    cr_assert_eq(in.connections_max, out.connections_max);
    cr_assert_eq(in.uploads_max, out.uploads_max);
}

Test(config, has_defaults_for_every_limit)
{
    struct config config, fresh;
    config_init(&fresh);
    test_write(CONFIG_FILE, GOOD);
    cr_assert_eq((int)config_load(&config, test_folder, NULL), (int)CN_OK);
    cr_assert_eq(config.connections_max, fresh.connections_max);
    cr_assert_eq(config.grace_s, fresh.grace_s);
    cr_assert_eq(config.models_kept, fresh.models_kept);
    test_write(CONFIG_FILE, GOOD "limits: {downloads: 3}\n");
    cr_assert_eq((int)config_load(&config, test_folder, NULL), (int)CN_OK);
    cr_assert_eq(config.downloads_max, 3);
    cr_assert_eq(config.uploads_max, fresh.uploads_max);
}

Test(config, tells_faults_by_place)
{
    expect_fault(GOOD "limit: {}\n", "did you mean 'limits'?");
    expect_fault(GOOD "limits: {connections: 0}\n", "limits.connections");
    expect_fault(GOOD "limits: {upload_bytes: 12}\n", "limits.upload_bytes");
    expect_fault("name: here\n", "listen");
    expect_fault("name: \"a b\"\nlisten: {host: h, port: 1}\npublic: {host: h, port: 1}\n"
                 "registrar: {public: "
                 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff}\n",
                 "aggregator.yaml:1:7: 'name'");
    expect_fault("name: here\nlisten: {host: h, port: 70000}\npublic: {host: h, port: 1}\n"
                 "registrar: {public: "
                 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff}\n",
                 "listen.port");
    expect_fault("name: here\nlisten: {host: h, port: 1}\npublic: {host: h, port: 1}\n"
                 "registrar: {public: 0011}\n",
                 "registrar.public");
}

Test(config, says_what_to_do_where_no_aggregator_is)
{
    struct config config;
    struct cn_diag diag = {0};
    cr_assert_eq((int)config_load(&config, test_folder, &diag), (int)CN_E_NOT_FOUND);
    cr_assert(strstr(diag.hint, "cairn-aggregator init"));
}
