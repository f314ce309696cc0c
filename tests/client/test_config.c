/* SPDX-License-Identifier: Apache-2.0 */
#include "client_fixture.h"

static struct fixture f;

static void open_joined(void)
{
    fixture_open(&f);
    MUST(fixture_join(&f, NULL));
}

static void close_it(void)
{
    fixture_close(&f);
}

TestSuite(config, .init = open_joined, .fini = close_it);

Test(config, what_join_wrote_is_what_is_read)
{
    struct client_config config;

    MUST(client_config_load(&config, f.dir, NULL));
    cr_assert_str_eq(config.host, "127.0.0.1");
    cr_assert_eq(config.port, 7700);
    cr_assert_str_eq(config.name, "silo-1");
    cr_assert_eq(memcmp(config.registrar, f.link.invitation.registrar, 32), 0);
    cr_assert_eq(memcmp(config.pin, f.link.tls_pin, 32), 0);
    cr_assert_str_eq(config.data.format, "");
}

Test(config, a_data_source_survives_the_round_trip_with_odd_characters)
{
    struct client_config config;

    MUST(client_config_load(&config, f.dir, NULL));
    MUST(data_source_parse(&config.data, "csv:/data/ward \"3\"\\x.csv,label=out: come", NULL));
    MUST(client_config_save(&config, f.dir, NULL));
    MUST(client_config_load(&config, f.dir, NULL));
    cr_assert_str_eq(config.data.path, "/data/ward \"3\"\\x.csv");
    cr_assert_str_eq(config.data.label, "out: come");
}

Test(config, keys_of_samples_and_demanded_policies_survive_the_round_trip)
{
    struct client_config config;

    MUST(client_config_load(&config, f.dir, NULL));
    MUST(data_source_parse(&config.data, "tsv:/data/w.tsv,label=y,sample=9,seed=4", NULL));
    strcpy(config.data.require_policy, "/etc/clinic.yaml");
    MUST(client_config_save(&config, f.dir, NULL));
    MUST(client_config_load(&config, f.dir, NULL));
    cr_assert_str_eq(config.data.require_policy, "/etc/clinic.yaml");
    cr_assert(config.data.sample == 9 && config.data.seed == 4);
    MUST(data_source_parse(&config.data, "images:/data/scans", NULL));
    strcpy(config.data.require_policy, "p.yaml");
    MUST(client_config_save(&config, f.dir, NULL));
    cr_assert_eq(client_config_load(&config, f.dir, NULL), CN_E_CONFIG);
}

Test(config, limits_survive_the_round_trip_bit_for_bit)
{
    struct client_limits in = {false, 7.1, 0.3, 30, 2.2, 1.0 / 3.0, 1e-7, 12, 0.2, true, 90}, out;

    MUST(client_limits_save(&in, f.dir, NULL));
    MUST(client_limits_load(&out, f.dir, NULL));
    cr_assert_eq(out.privacy_required, false);
    cr_assert_eq(out.epsilon_life, in.epsilon_life);
    cr_assert_eq(out.epsilon_period, in.epsilon_period);
    cr_assert_eq(out.period_days, 30u);
    cr_assert_eq(out.epsilon_task, in.epsilon_task);
    cr_assert_eq(out.epsilon_round, in.epsilon_round);
    cr_assert_eq(out.delta, in.delta);
    cr_assert_eq(out.cohort_min, 12);
    cr_assert_eq(out.corrupt_min, in.corrupt_min);
    cr_assert_eq(out.allow_unmasked, true);
    cr_assert_eq(out.train_minutes, 90u);
}

static void expect_fault(const char *file, const char *text, const char *words, unsigned line)
{
    struct client_config config;
    struct client_limits limits;
    struct cn_diag diag = {0};
    char shown[CN_DIAG_LINE_MAX];
    enum cn_err err;

    fixture_write(&f, file, text);
    err = strcmp(file, CLIENT_CONFIG_FILE) == 0 ? client_config_load(&config, f.dir, &diag)
                                                : client_limits_load(&limits, f.dir, &diag);
    cn_diag_line(&diag, shown);
    cr_assert_eq(err, CN_E_CONFIG, "%s", shown);
    cr_assert_not_null(strstr(shown, words), "'%s' is not in: %s", words, shown);
    cr_assert_eq(diag.line, line, "%s", shown);
}

#define SERVER                                                                                     \
    "name: a\nserver:\n  host: h\n  port: 1\n"                                                     \
    "  pin: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"                    \
    "  registrar: 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"

Test(config, faults_are_told_with_their_line)
{
    expect_fault(CLIENT_CONFIG_FILE, SERVER "dta: {format: idx}\n", "did you mean 'data'", 7);
    expect_fault(CLIENT_CONFIG_FILE, SERVER "data: {format: idx}\n", "needs the keys", 7);
    expect_fault(CLIENT_CONFIG_FILE, SERVER "data: {format: csv, label: x}\n", "needs the key path",
                 7);
    expect_fault(CLIENT_CONFIG_FILE, SERVER "data: {format: csv, path: x, length: 3}\n",
                 "has no key length", 7);
    expect_fault(CLIENT_CONFIG_FILE, SERVER "data: {format: xml}\n", "expected idx, csv", 7);
}

Test(config, limits_out_of_range_are_refused)
{
    static const char rest[] = "epsilon_period: 0\nepsilon_round: 0\ndelta: 1e-5\ncohort_min: 3\n";
    char text[512];

    snprintf(text, sizeof text, "privacy: required\nepsilon_life: 0\n%s", rest);
    expect_fault(CLIENT_LIMITS_FILE, text, "epsilon_life", 2);
    snprintf(text, sizeof text, "privacy: perhaps\nepsilon_life: 1\n%s", rest);
    expect_fault(CLIENT_LIMITS_FILE, text, "privacy", 1);
    expect_fault(CLIENT_LIMITS_FILE,
                 "privacy: required\nepsilon_life: 1\nepsilon_period: 0\nepsilon_round: 0\n"
                 "delta: 1e-5\ncohort_min: 1\n",
                 "cohort_min", 6);
}
