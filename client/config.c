/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas and templates of the owner's two files. */
#include "client/config.h"

#include <stdio.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include "base/config.h"
#include "base/file.h"
#include "base/text.h"
#include "crypto/secagg.h"

#define HEX_DIGITS 64

struct server_yaml {
    char host[JOIN_HOST_MAX + 1];
    uint16_t port;
    char pin[HEX_DIGITS + 1];
    char registrar[HEX_DIGITS + 1];
};

struct config_yaml {
    char name[CERTIFICATE_NAME_MAX + 1];
    struct server_yaml server;
    struct data_source *data;
};

enum privacy_word { PRIVACY_REQUIRED, PRIVACY_OPTIONAL };

struct limits_yaml {
    enum privacy_word privacy;
    double epsilon_life, epsilon_period, epsilon_task, epsilon_round, delta;
    uint32_t period_days;
    uint32_t cohort_min;
    double corrupt_min;
    bool allow_unmasked;
    uint32_t train_minutes;
};

/* clang-format off */
static const cyaml_strval_t privacy_words[] = {
    {"required", PRIVACY_REQUIRED}, {"optional", PRIVACY_OPTIONAL}};

static const cyaml_schema_field_t server_fields[] = {
    CYAML_FIELD_STRING("host", CYAML_FLAG_DEFAULT, struct server_yaml, host, 1),
    CYAML_FIELD_UINT("port", CYAML_FLAG_DEFAULT, struct server_yaml, port),
    CYAML_FIELD_STRING("pin", CYAML_FLAG_DEFAULT, struct server_yaml, pin, HEX_DIGITS),
    CYAML_FIELD_STRING("registrar", CYAML_FLAG_DEFAULT, struct server_yaml, registrar, HEX_DIGITS),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t data_fields[] = {
    CYAML_FIELD_STRING("format", CYAML_FLAG_DEFAULT, struct data_source, format, 3),
    CYAML_FIELD_STRING("images", CYAML_FLAG_OPTIONAL, struct data_source, images, 1),
    CYAML_FIELD_STRING("labels", CYAML_FLAG_OPTIONAL, struct data_source, labels, 1),
    CYAML_FIELD_STRING("path", CYAML_FLAG_OPTIONAL, struct data_source, path, 1),
    CYAML_FIELD_STRING("label", CYAML_FLAG_OPTIONAL, struct data_source, label, 1),
    CYAML_FIELD_UINT("length", CYAML_FLAG_OPTIONAL, struct data_source, length),
    CYAML_FIELD_UINT("sample", CYAML_FLAG_OPTIONAL, struct data_source, sample),
    CYAML_FIELD_UINT("seed", CYAML_FLAG_OPTIONAL, struct data_source, seed),
    CYAML_FIELD_STRING("require_policy", CYAML_FLAG_OPTIONAL, struct data_source, require_policy,
                       1),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t config_fields[] = {
    CYAML_FIELD_STRING("name", CYAML_FLAG_DEFAULT, struct config_yaml, name, 1),
    CYAML_FIELD_MAPPING("server", CYAML_FLAG_DEFAULT, struct config_yaml, server, server_fields),
    CYAML_FIELD_MAPPING_PTR("data", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_yaml,
                            data, data_fields),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t limits_fields[] = {
    CYAML_FIELD_ENUM("privacy", CYAML_FLAG_STRICT, struct limits_yaml, privacy, privacy_words,
                     CYAML_ARRAY_LEN(privacy_words)),
    CYAML_FIELD_FLOAT("epsilon_life", CYAML_FLAG_DEFAULT, struct limits_yaml, epsilon_life),
    CYAML_FIELD_FLOAT("epsilon_period", CYAML_FLAG_OPTIONAL, struct limits_yaml, epsilon_period),
    CYAML_FIELD_UINT("period_days", CYAML_FLAG_OPTIONAL, struct limits_yaml, period_days),
    CYAML_FIELD_FLOAT("epsilon_task", CYAML_FLAG_OPTIONAL, struct limits_yaml, epsilon_task),
    CYAML_FIELD_FLOAT("epsilon_round", CYAML_FLAG_DEFAULT, struct limits_yaml, epsilon_round),
    CYAML_FIELD_FLOAT("delta", CYAML_FLAG_DEFAULT, struct limits_yaml, delta),
    CYAML_FIELD_UINT("cohort_min", CYAML_FLAG_DEFAULT, struct limits_yaml, cohort_min),
    CYAML_FIELD_FLOAT("corrupt_min", CYAML_FLAG_OPTIONAL, struct limits_yaml, corrupt_min),
    CYAML_FIELD_BOOL("allow_unmasked", CYAML_FLAG_OPTIONAL, struct limits_yaml, allow_unmasked),
    CYAML_FIELD_UINT("train_minutes", CYAML_FLAG_OPTIONAL, struct limits_yaml, train_minutes),
    CYAML_FIELD_END
};

static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_yaml, config_fields)};
static const cyaml_schema_value_t limits_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct limits_yaml, limits_fields)};

static const struct cn_config_range config_ranges[] = {
    {"server.port", 1, 65535, false},
};

static const struct cn_config_range limits_ranges[] = {
    {"epsilon_life", 0, 1000, true},
    {"epsilon_period", 0, 1000, false},
    {"period_days", 1, CLIENT_PERIOD_DAYS_MAX, false},
    {"epsilon_task", 0, 1000, false},
    {"epsilon_round", 0, 1000, false},
    {"delta", 0, 0.01, true},
    {"cohort_min", 2, SECAGG_COMPLETE_MAX, false},
    {"corrupt_min", 0, SECAGG_RING_PERMILLE_MAX / 1000.0, false},
    {"train_minutes", 0, 7 * 24 * 60, false},
};
/* clang-format on */

struct client_limits client_limits_default(void)
{
    return (struct client_limits){.privacy_required = true,
                                  .epsilon_life = 8,
                                  .period_days = 1,
                                  .epsilon_round = 3,
                                  .delta = 1e-5,
                                  .cohort_min = 3,
                                  .corrupt_min = 0.05};
}

/* Reads the text and loads it; *yaml is to be freed by cn_config_free, text by cn_buf_clear. */
static enum cn_err read_yaml(void **yaml, struct cn_buf *text, char path[CN_PATH_MAX],
                             const cyaml_schema_value_t *schema, struct cn_diag *diag)
{
    CN_TRY(cn_file_read(text, path, CN_CONFIG_BYTES_MAX, diag));
    return cn_config_parse(yaml, (const char *)text->data, text->len, path, schema, diag);
}

static enum cn_err data_of(struct client_config *config, const struct config_yaml *yaml,
                           const struct cn_buf *text, const char *path, const char *dir,
                           struct cn_diag *diag)
{
    const struct data_source *data = yaml->data;
    const char *t = (const char *)text->data;
    struct cn_diag fault = {0};

    if (!data)
        return CN_OK;
    if (data_source_check(data, &fault) != CN_OK)
        return cn_config_refuse(diag, t, text->len, path, "data.format", "%s", fault.text);
    config->data = *data;
    return data_source_rebase(&config->data, dir);
}

static enum cn_err config_of(struct client_config *config, const struct config_yaml *yaml,
                             const struct cn_buf *text, const char *path, struct cn_diag *diag)
{
    const char *t = (const char *)text->data;

    CN_TRY(cn_config_check(t, text->len, path, config_ranges, CN_COUNT(config_ranges), diag));
    if (!cn_text_is_name(yaml->name, CERTIFICATE_NAME_MAX))
        return cn_config_refuse(diag, t, text->len, path, "name",
                                "'%s' is no name: letters, digits, '-', '_' and '.' only",
                                yaml->name);
    if (cn_hex_decode(config->pin, sizeof config->pin, yaml->server.pin) != CN_OK)
        return cn_config_refuse(diag, t, text->len, path, "server.pin", "not %d hexadecimal digits",
                                HEX_DIGITS);
    if (cn_hex_decode(config->registrar, sizeof config->registrar, yaml->server.registrar) != CN_OK)
        return cn_config_refuse(diag, t, text->len, path, "server.registrar",
                                "not %d hexadecimal digits", HEX_DIGITS);
    memcpy(config->name, yaml->name, sizeof config->name);
    memcpy(config->host, yaml->server.host, sizeof config->host);
    config->port = yaml->server.port;
    return CN_OK;
}

enum cn_err client_config_load(struct client_config *config, const char *dir, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    struct cn_buf text;
    void *yaml = NULL;
    enum cn_err err;

    *config = (struct client_config){0};
    CN_TRY(cn_path_join(path, dir, CLIENT_CONFIG_FILE));
    err = read_yaml(&yaml, &text, path, &config_schema, diag);
    if (err == CN_OK)
        err = config_of(config, yaml, &text, path, diag);
    if (err == CN_OK)
        err = data_of(config, yaml, &text, path, dir, diag);
    cn_config_free(&config_schema, yaml);
    cn_buf_clear(&text);
    return err;
}

enum cn_err client_limits_load(struct client_limits *limits, const char *dir, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    struct cn_buf text;
    void *loaded = NULL;
    enum cn_err err;

    *limits = (struct client_limits){0};
    CN_TRY(cn_path_join(path, dir, CLIENT_LIMITS_FILE));
    err = read_yaml(&loaded, &text, path, &limits_schema, diag);
    if (err == CN_OK)
        err = cn_config_check((const char *)text.data, text.len, path, limits_ranges,
                              CN_COUNT(limits_ranges), diag);
    if (err == CN_OK) {
        const struct limits_yaml *yaml = loaded;

        limits->privacy_required = yaml->privacy == PRIVACY_REQUIRED;
        limits->epsilon_life = yaml->epsilon_life;
        limits->epsilon_period = yaml->epsilon_period;
        limits->period_days = yaml->period_days ? yaml->period_days : 1;
        limits->epsilon_task = yaml->epsilon_task;
        limits->epsilon_round = yaml->epsilon_round;
        limits->delta = yaml->delta;
        limits->cohort_min = yaml->cohort_min;
        limits->corrupt_min = yaml->corrupt_min;
        limits->allow_unmasked = yaml->allow_unmasked;
        limits->train_minutes = yaml->train_minutes;
    }
    cn_config_free(&limits_schema, loaded);
    cn_buf_clear(&text);
    return err;
}

/* YAML's double-quoted form, for paths with any character in them. */
static void put_quoted(struct cn_buf *out, const char *text)
{
    cn_put_text(out, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            cn_put_text(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            cn_put_text(out, "\\x%02x", c);
        else
            cn_put_u8(out, c);
    }
    cn_put_text(out, "\"");
}

static void put_key(struct cn_buf *out, const char *key, const char *value)
{
    cn_put_text(out, "  %s: ", key);
    put_quoted(out, value);
    cn_put_text(out, "\n");
}

static void put_number(struct cn_buf *out, const char *key, uint32_t value)
{
    if (value)
        cn_put_text(out, "  %s: %u\n", key, value);
}

static void put_data(struct cn_buf *out, const struct data_source *data)
{
    if (!data->format[0]) {
        cn_put_text(out,
                    "# Where your data lies; it never leaves this device. One of:\n"
                    "# data: {format: idx, images: images.gz, labels: labels.gz}\n"
                    "# data: {format: csv, path: patients.csv, label: outcome}\n"
                    "# data: {format: images, path: scans}\n"
                    "# Also tsv, libsvm and text. With require_policy: FILE only a table that\n"
                    "# `cairn data deidentify` made by that policy is trained on.\n");
        return;
    }
    cn_put_text(out, "# Where your data lies; it never leaves this device.\ndata:\n");
    put_key(out, "format", data->format);
    if (strcmp(data->format, "idx") == 0) {
        put_key(out, "images", data->images);
        put_key(out, "labels", data->labels);
    } else {
        put_key(out, "path", data->path);
        if (data->label[0])
            put_key(out, "label", data->label);
    }
    put_number(out, "length", data->length);
    put_number(out, "sample", data->sample);
    put_number(out, "seed", data->seed);
    if (data->require_policy[0])
        put_key(out, "require_policy", data->require_policy);
}

static enum cn_err save(const char *dir, const char *name, struct cn_buf *text,
                        struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    enum cn_err err = cn_buf_finish(text);

    if (err == CN_OK)
        err = cn_path_join(path, dir, name);
    if (err == CN_OK)
        err = cn_file_write(path, text->data, text->len, 0600, diag);
    cn_buf_clear(text);
    return err;
}

enum cn_err client_config_save(const struct client_config *config, const char *dir,
                               struct cn_diag *diag)
{
    char hex[HEX_DIGITS + 1];
    struct cn_buf text;

    cn_buf_init(&text, CN_CONFIG_BYTES_MAX);
    cn_put_text(&text,
                "# This device's place in the federation. Written by `cairn-client join`; the\n"
                "# parts you may edit are `data` and, if the service has moved, host and port.\n"
                "name: %s\n\nserver:\n",
                config->name);
    put_key(&text, "host", config->host);
    cn_put_text(&text, "  port: %u\n", config->port);
    put_key(&text, "pin", cn_hex_encode(hex, config->pin, sizeof config->pin));
    put_key(&text, "registrar", cn_hex_encode(hex, config->registrar, sizeof config->registrar));
    cn_put_text(&text, "\n");
    put_data(&text, &config->data);
    return save(dir, CLIENT_CONFIG_FILE, &text, diag);
}

enum cn_err client_limits_save(const struct client_limits *limits, const char *dir,
                               struct cn_diag *diag)
{
    struct cn_buf text;

    cn_buf_init(&text, CN_CONFIG_BYTES_MAX);
    cn_put_text(
        &text,
        "# Your limits. No aggregator can lower them: an offer that would pass one is declined.\n"
        "# Change them here or with `cairn-client limits`; `cairn-client budget` shows what is "
        "left.\n\n"
        "# required: only tasks that add noise to every example. optional: others too.\n"
        "privacy: %s\n\n"
        "# Privacy loss, epsilon, at the delta below: smaller is more private.\n"
        "epsilon_life: %.17g   # over all tasks, for ever\n"
        "epsilon_period: %.17g # in any period of period_days days; 0: no limit of its own\n"
        "period_days: %u\n"
        "epsilon_task: %.17g   # on any one task; 0: no limit of its own\n"
        "epsilon_round: %.17g  # one round alone; 0: no limit of its own\n"
        "delta: %.17g\n\n"
        "# Never in a sum of fewer devices than this.\n"
        "cohort_min: %u\n\n"
        "# In large cohorts: the sum has to stay secret though this share of the devices helps "
        "the\n"
        "# aggregator (in small ones it always does with less than a third).\n"
        "corrupt_min: %.17g\n\n"
        "# true: also tasks whose aggregator sees this device's own update, not only the sum.\n"
        "allow_unmasked: %s\n\n"
        "# Computing for one round at most, in minutes; 0: as long as the task gives.\n"
        "train_minutes: %u\n",
        limits->privacy_required ? "required" : "optional", limits->epsilon_life,
        limits->epsilon_period, limits->period_days, limits->epsilon_task, limits->epsilon_round,
        limits->delta, limits->cohort_min, limits->corrupt_min,
        limits->allow_unmasked ? "true" : "false", limits->train_minutes);
    return save(dir, CLIENT_LIMITS_FILE, &text, diag);
}
