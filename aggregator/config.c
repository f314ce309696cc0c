/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/config.h"

#include <stdio.h>
#include <string.h>

#include <cyaml/cyaml.h>

#include "base/config.h"
#include "base/text.h"

#define HEX_DIGITS (2 * SIGN_PUBLIC_BYTES)

struct address_yaml {
    char host[JOIN_HOST_MAX + 1];
    uint32_t port;
};

struct registrar_yaml {
    char public[HEX_DIGITS + 1];
    char key[CN_PATH_MAX];
};

struct limits_yaml {
    uint32_t connections;
    uint32_t connections_per_address;
    uint32_t logins_per_address;
    uint64_t upload_bytes;
    uint32_t downloads;
    uint32_t grace_s;
    uint32_t models_kept;
};

struct config_yaml {
    char name[CONFIG_NAME_MAX + 1];
    struct address_yaml listen;
    struct address_yaml public;
    struct registrar_yaml registrar;
    struct limits_yaml *limits;
};

/* clang-format off */
static const cyaml_schema_field_t address_fields[] = {
    CYAML_FIELD_STRING("host", CYAML_FLAG_DEFAULT, struct address_yaml, host, 1),
    CYAML_FIELD_UINT("port", CYAML_FLAG_DEFAULT, struct address_yaml, port),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t registrar_fields[] = {
    CYAML_FIELD_STRING("public", CYAML_FLAG_DEFAULT, struct registrar_yaml, public, HEX_DIGITS),
    CYAML_FIELD_STRING("key", CYAML_FLAG_OPTIONAL, struct registrar_yaml, key, 1),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t limits_fields[] = {
    CYAML_FIELD_UINT("connections", CYAML_FLAG_OPTIONAL, struct limits_yaml, connections),
    CYAML_FIELD_UINT("connections_per_address", CYAML_FLAG_OPTIONAL, struct limits_yaml,
                     connections_per_address),
    CYAML_FIELD_UINT("logins_per_address", CYAML_FLAG_OPTIONAL, struct limits_yaml,
                     logins_per_address),
    CYAML_FIELD_UINT("upload_bytes", CYAML_FLAG_OPTIONAL, struct limits_yaml, upload_bytes),
    CYAML_FIELD_UINT("downloads", CYAML_FLAG_OPTIONAL, struct limits_yaml, downloads),
    CYAML_FIELD_UINT("grace_s", CYAML_FLAG_OPTIONAL, struct limits_yaml, grace_s),
    CYAML_FIELD_UINT("models_kept", CYAML_FLAG_OPTIONAL, struct limits_yaml, models_kept),
    CYAML_FIELD_END
};

static const cyaml_schema_field_t config_fields[] = {
    CYAML_FIELD_STRING("name", CYAML_FLAG_DEFAULT, struct config_yaml, name, 1),
    CYAML_FIELD_MAPPING("listen", CYAML_FLAG_DEFAULT, struct config_yaml, listen, address_fields),
    CYAML_FIELD_MAPPING("public", CYAML_FLAG_DEFAULT, struct config_yaml, public, address_fields),
    CYAML_FIELD_MAPPING("registrar", CYAML_FLAG_DEFAULT, struct config_yaml, registrar,
                        registrar_fields),
    CYAML_FIELD_MAPPING_PTR("limits", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct config_yaml,
                            limits, limits_fields),
    CYAML_FIELD_END
};

static const cyaml_schema_value_t schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_yaml, config_fields)};

static const struct cn_config_range ranges[] = {
    {"listen.port", 0, 65535, false},
    {"public.port", 0, 65535, false},
    {"limits.connections", 1, 1000000, false},
    {"limits.connections_per_address", 0, 1000000, false},
    {"limits.logins_per_address", 0, 100000, false},
    {"limits.upload_bytes", 1048576, 1e15, false},
    {"limits.downloads", 1, 100000, false},
    {"limits.grace_s", 0, 86400, false},
    {"limits.models_kept", 1, 100000, false},
};
/* clang-format on */

void config_init(struct config *config)
{
    *config = (struct config){.name = "aggregator",
                              .listen_host = "0.0.0.0",
                              .listen_port = CONFIG_PORT_DEFAULT,
                              .public_host = "127.0.0.1",
                              .public_port = CONFIG_PORT_DEFAULT,
                              .registrar_key = CONFIG_REGISTRAR_KEY,
                              .connections_max = 10000,
                              .address_connections = 1000,
                              .address_per_s = 50,
                              .uploads_max = (uint64_t)512 << 20,
                              .downloads_max = 64,
                              .grace_s = 10,
                              .models_kept = 3};
}

/* Takes what is there over the defaults. */
static void take_limits(struct config *config, const struct limits_yaml *limits, const char *text,
                        size_t len)
{
    unsigned line, column;
    if (!limits)
        return;
    if (limits->connections)
        config->connections_max = limits->connections;
    if (cn_config_where(text, len, "limits.connections_per_address", &line, &column))
        config->address_connections = limits->connections_per_address;
    if (cn_config_where(text, len, "limits.logins_per_address", &line, &column))
        config->address_per_s = limits->logins_per_address;
    if (limits->upload_bytes)
        config->uploads_max = limits->upload_bytes;
    if (limits->downloads)
        config->downloads_max = limits->downloads;
    if (limits->models_kept)
        config->models_kept = limits->models_kept;
    if (cn_config_where(text, len, "limits.grace_s", &line, &column))
        config->grace_s = limits->grace_s;
}

static enum cn_err take(struct config *config, const struct config_yaml *yaml,
                        const struct cn_buf *text, const char *place, struct cn_diag *diag)
{
    const char *bytes = (const char *)text->data;
    if (!cn_text_is_name(yaml->name, CONFIG_NAME_MAX))
        return cn_config_refuse(diag, bytes, text->len, place, "name",
                                "'name' may hold letters, digits, '-', '_' and '.', at most %d",
                                CONFIG_NAME_MAX);
    if (cn_hex_decode(config->registrar, SIGN_PUBLIC_BYTES, yaml->registrar.public) != CN_OK)
        return cn_config_refuse(diag, bytes, text->len, place, "registrar.public",
                                "'registrar.public' must be %d hexadecimal digits", HEX_DIGITS);
    memcpy(config->name, yaml->name, sizeof(config->name));
    memcpy(config->listen_host, yaml->listen.host, sizeof(config->listen_host));
    memcpy(config->public_host, yaml->public.host, sizeof(config->public_host));
    config->listen_port = (uint16_t)yaml->listen.port;
    config->public_port = (uint16_t)yaml->public.port;
    if (yaml->registrar.key[0])
        memcpy(config->registrar_key, yaml->registrar.key, sizeof(config->registrar_key));
    take_limits(config, yaml->limits, bytes, text->len);
    return CN_OK;
}

enum cn_err config_load(struct config *config, const char *folder, struct cn_diag *diag)
{
    config_init(config);
    char path[CN_PATH_MAX];
    CN_TRY(cn_path_join(path, folder, CONFIG_FILE));
    struct cn_buf text;
    void *yaml = NULL;
    enum cn_err err = cn_file_read(&text, path, CN_CONFIG_BYTES_MAX, diag);
    if (err == CN_E_NOT_FOUND)
        cn_diag_hint(diag, "make an aggregator there: cairn-aggregator init %s", folder);
    CN_TRY_OUT(err, err);
    const char *bytes = (const char *)text.data;
    CN_TRY_OUT(err, cn_config_parse(&yaml, bytes, text.len, path, &schema, diag));
    CN_TRY_OUT(err, cn_config_check(bytes, text.len, path, ranges, CN_COUNT(ranges), diag));
    CN_TRY_OUT(err, take(config, yaml, &text, path, diag));
out:
    cn_config_free(&schema, yaml);
    cn_buf_clear(&text);
    return err;
}

static void put_limits(struct cn_buf *text, const struct config *config)
{
    cn_put_text(text,
                "\n# All of these may be left out.\n"
                "limits:\n"
                "  connections: %u       # at most so many devices at a time\n"
                "  connections_per_address: %u  # of one address (IPv6: one /64); 0: any number\n"
                "  logins_per_address: %u  # new connections a second of one; 0: any number\n"
                "  upload_bytes: %llu  # memory for updates that are arriving; others queue\n"
                "  downloads: %u            # models being sent at a time; others queue\n"
                "  grace_s: %u              # a phase waits so long for devices that went away,"
                " if the others are enough\n"
                "  models_kept: %u           # published models of each task that stay on disk\n",
                (unsigned)config->connections_max, (unsigned)config->address_connections,
                (unsigned)config->address_per_s, (unsigned long long)config->uploads_max,
                (unsigned)config->downloads_max, (unsigned)config->grace_s,
                (unsigned)config->models_kept);
}

enum cn_err config_save(const struct config *config, const char *folder, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    char registrar[HEX_DIGITS + 1];
    CN_TRY(cn_path_join(path, folder, CONFIG_FILE));
    cn_hex_encode(registrar, config->registrar, SIGN_PUBLIC_BYTES);
    struct cn_buf text;
    cn_buf_init(&text, CN_CONFIG_BYTES_MAX);
    cn_put_text(&text,
                "# The aggregator in this folder. Changes hold from the next `cairn-aggregator"
                " serve` on.\n\n"
                "# What it is called in its ledger.\n"
                "name: %s\n\n"
                "# The address and port it listens on; port 0 takes any free one.\n"
                "listen:\n  host: \"%s\"\n  port: %u\n\n"
                "# What join links tell devices to connect to; port 0: the same as above.\n"
                "public:\n  host: \"%s\"\n  port: %u\n\n"
                "# Only devices whose invitation this key signed may enrol. `invite` needs the key"
                " itself,\n"
                "# `serve` does not: the file may lie on a machine of its own.\n"
                "registrar:\n  public: \"%s\"\n  key: \"%s\"\n",
                config->name, config->listen_host, (unsigned)config->listen_port,
                config->public_host, (unsigned)config->public_port, registrar,
                config->registrar_key);
    put_limits(&text, config);
    enum cn_err err = cn_buf_finish(&text);
    if (err == CN_OK)
        err = cn_file_write(path, text.data, text.len, 0644, diag);
    cn_buf_clear(&text);
    return err;
}
