/* SPDX-License-Identifier: Apache-2.0 */
/* init, invite, serve. */
#include "aggregator/commands_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregator/server.h"
#include "base/clock.h"
#include "base/text.h"
#include "crypto/join.h"
#include "crypto/random.h"
#include "privacy/ledger.h"
#include "protocol/link.h"

/* ---- init ---- */

struct setup {
    const struct cn_args *args;
    const char *folder;
    struct config config;
    bool locked; /* the registrar's key needs a passphrase */
};

static enum cn_err check_new(const struct setup *setup, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    CN_TRY(cn_path_join(path, setup->folder, CONFIG_FILE));
    if (!cn_file_exists(path))
        return CN_OK;
    cn_diag_set(diag, setup->folder, 0, 0, "an aggregator lives in this folder already");
    cn_diag_hint(diag, "choose another folder, or go on with: cairn-aggregator serve %s",
                 setup->folder);
    return CN_E_EXISTS;
}

/* A host that only this machine can reach is also what we listen at. */
static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           strncmp(host, "127.", 4) == 0;
}

static enum cn_err copy_host(char out[JOIN_HOST_MAX + 1], const char *host, const char *option,
                             struct cn_diag *diag)
{
    size_t len = strlen(host);
    if (len == 0 || len > JOIN_HOST_MAX || strpbrk(host, " \t\"\\/@[]")) {
        cn_diag_set(diag, NULL, 0, 0, "'%s' is not a host that --%s can take", host, option);
        cn_diag_hint(diag, "give a name or an address without scheme, port or brackets");
        return CN_E_CONFIG;
    }
    memcpy(out, host, len + 1);
    return CN_OK;
}

static enum cn_err choose(struct setup *setup, struct cn_diag *diag)
{
    const struct cn_args *args = setup->args;
    const char *host = cn_args_text(args, "host");
    const char *listen = cn_args_text(args, "listen");
    const char *name = cn_args_text(args, "name");
    struct config *config = &setup->config;
    config_init(config);
    if (!listen)
        listen = is_loopback(host) ? host : strchr(host, ':') ? "::" : "0.0.0.0";
    CN_TRY(copy_host(config->public_host, host, "host", diag));
    CN_TRY(copy_host(config->listen_host, listen, "listen", diag));
    config->listen_port = config->public_port = (uint16_t)cn_args_uint(args, "port");
    if (!cn_text_is_name(name, CONFIG_NAME_MAX)) {
        cn_diag_set(diag, NULL, 0, 0, "'%s' can not be a name", name);
        cn_diag_hint(diag, "use letters, digits, '-', '_' and '.', at most %d", CONFIG_NAME_MAX);
        return CN_E_CONFIG;
    }
    snprintf(config->name, sizeof(config->name), "%s", name);
    return CN_OK;
}

/* Makes a key file, or loads the one that an init which was cut short has left. */
static enum cn_err key_make(struct sign_key **key, const char *path, const char *passphrase,
                            struct cn_diag *diag)
{
    if (cn_file_exists(path))
        return keyfile_load(key, path, passphrase, diag);
    struct cn_random random;
    CN_TRY(random_system(&random));
    CN_TRY(sign_key_new(key, &random));
    return keyfile_save(path, *key, passphrase, diag);
}

static enum cn_err registrar_make(struct setup *setup, struct cn_diag *diag)
{
    const char *elsewhere = cn_args_text(setup->args, "registrar");
    char path[CN_PATH_MAX], passphrase[PASSPHRASE_ROOM];
    bool given = false, locked = false;
    struct sign_key *key = NULL;
    enum cn_err err = CN_OK;
    if (elsewhere) {
        CN_TRY(keyfile_is_locked(elsewhere, &locked));
        char *absolute = realpath(elsewhere, NULL);
        if (!absolute)
            return cn_err_from_errno(errno);
        snprintf(path, sizeof(path), "%s", absolute);
        snprintf(setup->config.registrar_key, sizeof(setup->config.registrar_key), "%s", absolute);
        free(absolute);
    } else {
        CN_TRY(cn_path_join(path, setup->folder, CONFIG_REGISTRAR_KEY));
    }
    CN_TRY_OUT(err, commands_passphrase(passphrase, &given, setup->args, locked, diag));
    const char *word = given ? passphrase : NULL;
    CN_TRY_OUT(err,
               elsewhere ? keyfile_load(&key, path, word, diag) : key_make(&key, path, word, diag));
    sign_key_public(key, setup->config.registrar);
    setup->locked = given;
out:
    explicit_bzero(passphrase, sizeof(passphrase));
    sign_key_free(key);
    return err;
}

static enum cn_err ledger_begin(const struct setup *setup, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    struct sign_key *key = NULL;
    struct ledger *ledger = NULL;
    CN_TRY(cn_path_join(path, setup->folder, CONFIG_LEDGER_KEY));
    enum cn_err err = key_make(&key, path, NULL, diag);
    if (err == CN_OK)
        err = cn_path_join(path, setup->folder, CONFIG_LEDGER);
    struct ledger_owner owner = {
        .owner = setup->config.name, .role = "aggregator", .now_s = commands_now_s()};
    if (err == CN_OK)
        err = ledger_open(&ledger, path, key, &owner, diag);
    ledger_close(ledger);
    sign_key_free(key);
    return err;
}

static enum cn_err tls_make(const struct setup *setup, struct cn_diag *diag)
{
    char certificate[CN_PATH_MAX], key[CN_PATH_MAX];
    CN_TRY(cn_path_join(certificate, setup->folder, CONFIG_TLS_CERTIFICATE));
    CN_TRY(cn_path_join(key, setup->folder, CONFIG_TLS_KEY));
    if (cn_file_exists(certificate) && cn_file_exists(key))
        return CN_OK;
    return link_tls_generate(certificate, key, setup->config.public_host, diag);
}

/* The configuration comes last: where it is, everything is. */
static enum cn_err make_all(struct setup *setup, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    struct store *store = NULL;
    struct registry registry;
    CN_TRY(choose(setup, diag));
    CN_TRY(check_new(setup, diag));
    CN_TRY(cn_folder_make(setup->folder, 0700, diag));
    CN_TRY(registrar_make(setup, diag));
    CN_TRY(ledger_begin(setup, diag));
    CN_TRY(tls_make(setup, diag));
    CN_TRY(cn_path_join(path, setup->folder, CONFIG_STORE));
    CN_TRY(store_open(&store, path, diag));
    store_close(store);
    CN_TRY(registry_open(&registry, setup->folder, diag));
    return config_save(&setup->config, setup->folder, diag);
}

static void tell_setup(const struct setup *setup)
{
    const struct config *config = &setup->config;
    FILE *out = setup->args->out;
    fprintf(out, "An aggregator stands in %s\n\n", setup->folder);
    fprintf(out, "  aggregator.yaml   settings; devices will connect to %s, port %u\n",
            config->public_host, (unsigned)config->public_port);
    fprintf(out, "  %-16s  decides who may join%s\n",
            cn_args_given(setup->args, "registrar") ? config->registrar_key : "registrar.key",
            setup->locked ? "; locked by your passphrase" : "");
    fprintf(out, "  aggregator.key    signs the ledger, ledger.jsonl\n"
                 "  tls.crt, tls.key  what devices recognise this aggregator by\n"
                 "  store.sqlite      devices, tasks, rounds; models go to blobs/ and models/\n");
    if (is_loopback(config->public_host))
        fprintf(out,
                "\nOnly this machine can reach %s. For devices elsewhere change 'public' and"
                " 'listen' in aggregator.yaml.\n",
                config->public_host);
    fprintf(out,
            "\nNext:  cairn-aggregator serve %s\n"
            "       cairn-aggregator invite %s\n",
            setup->folder, setup->folder);
}

int commands_init(const struct cn_args *args)
{
    struct setup setup = {.args = args, .folder = cn_args_argument(args, 0)};
    struct cn_diag diag = {0};
    enum cn_err err = make_all(&setup, &diag);
    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (!args->json) {
        tell_setup(&setup);
        return CN_EXIT_DONE;
    }
    return commands_json(args, json_pack("{s:s, s:s, s:i, s:o, s:s}", "folder", setup.folder,
                                         "host", setup.config.public_host, "port",
                                         (int)setup.config.public_port, "registrar",
                                         commands_hex(setup.config.registrar, SIGN_PUBLIC_BYTES),
                                         "registrar_key", setup.config.registrar_key));
}

/* ---- invite ---- */

struct inviting {
    const struct cn_args *args;
    struct folder folder;
    struct sign_key *registrar;
    struct cn_random random;
    uint8_t pin[JOIN_PIN_BYTES];
    int64_t now_s, expires_s;
    uint32_t uses;
};

static enum cn_err load_registrar(struct inviting *inviting, struct cn_diag *diag)
{
    const struct config *config = &inviting->folder.config;
    char path[CN_PATH_MAX], passphrase[PASSPHRASE_ROOM];
    bool given = false, locked = false;
    if (config->registrar_key[0] == '/')
        snprintf(path, sizeof(path), "%s", config->registrar_key);
    else
        CN_TRY(cn_path_join(path, inviting->folder.path, config->registrar_key));
    enum cn_err err = keyfile_is_locked(path, &locked);
    if (err == CN_E_NOT_FOUND) {
        cn_diag_set(diag, path, 0, 0, "the registrar's key is not here");
        cn_diag_hint(diag, "invite where the key is, or say where in aggregator.yaml");
    }
    CN_TRY(err);
    CN_TRY_OUT(err, commands_passphrase(passphrase, &given, inviting->args, locked, diag));
    CN_TRY_OUT(err, keyfile_load(&inviting->registrar, path, given ? passphrase : NULL, diag));
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    sign_key_public(inviting->registrar, public_key);
    if (memcmp(public_key, config->registrar, SIGN_PUBLIC_BYTES) != 0) {
        cn_diag_set(diag, path, 0, 0, "this key is not the registrar that aggregator.yaml names");
        cn_diag_hint(diag, "devices invited with it would be refused; find the right key");
        err = CN_E_CONFIG;
    }
out:
    explicit_bzero(passphrase, sizeof(passphrase));
    return err;
}

static enum cn_err load_pin(struct inviting *inviting, struct cn_diag *diag)
{
    char certificate[CN_PATH_MAX], key[CN_PATH_MAX];
    CN_TRY(cn_path_join(certificate, inviting->folder.path, CONFIG_TLS_CERTIFICATE));
    CN_TRY(cn_path_join(key, inviting->folder.path, CONFIG_TLS_KEY));
    struct link_tls *tls = NULL;
    CN_TRY(link_tls_server(&tls, certificate, key, diag));
    link_tls_pin(tls, inviting->pin);
    link_tls_free(tls);
    return CN_OK;
}

static enum cn_err prepare_invite(struct inviting *inviting, struct cn_diag *diag)
{
    const struct cn_args *args = inviting->args;
    CN_TRY(folder_open(&inviting->folder, args, diag));
    const struct config *config = &inviting->folder.config;
    if (!config->public_port && !config->listen_port) {
        cn_diag_set(diag, CONFIG_FILE, 0, 0, "a join link needs a port, and both are 0");
        cn_diag_hint(diag, "set public.port to what devices connect to");
        return CN_E_CONFIG;
    }
    CN_TRY(random_system(&inviting->random));
    inviting->now_s = commands_now_s();
    inviting->expires_s = inviting->now_s + (int64_t)(cn_args_ms(args, "expires") / 1000);
    inviting->uses = (uint32_t)cn_args_uint(args, "uses");
    CN_TRY(load_pin(inviting, diag));
    return load_registrar(inviting, diag);
}

/* Makes one invitation; it is in the store before its link is shown. */
static enum cn_err make_link(struct inviting *inviting, char text[JOIN_LINK_MAX])
{
    const struct config *config = &inviting->folder.config;
    struct join_link link = {.port =
                                 config->public_port ? config->public_port : config->listen_port};
    struct sign_key *one_time = NULL;
    enum cn_err err;
    snprintf(link.host, sizeof(link.host), "%s", config->public_host);
    memcpy(link.tls_pin, inviting->pin, sizeof(link.tls_pin));
    CN_TRY_OUT(err, invitation_make(&link.invitation, &one_time, inviting->registrar,
                                    inviting->uses, inviting->expires_s, &inviting->random));
    sign_key_seed(one_time, link.secret);
    CN_TRY_OUT(err, join_link_format(text, &link));
    struct store_invitation row = {
        .made_s = inviting->now_s, .expires_s = inviting->expires_s, .uses = inviting->uses};
    memcpy(row.id, link.invitation.id, sizeof(row.id));
    const char *note = cn_args_text(inviting->args, "name");
    snprintf(row.name, sizeof(row.name), "%s", note ? note : "");
    CN_TRY_OUT(err, store_invitation_add(inviting->folder.store, &row));
out:
    sign_key_free(one_time);
    join_link_wipe(&link);
    return err;
}

static enum cn_err make_links(struct inviting *inviting, json_t *links, struct cn_diag *diag)
{
    CN_TRY(prepare_invite(inviting, diag));
    for (uint64_t i = cn_args_uint(inviting->args, "count"); i > 0; i--) {
        char text[JOIN_LINK_MAX];
        enum cn_err err = make_link(inviting, text);
        if (err == CN_OK && json_array_append_new(links, json_string(text)) != 0)
            err = CN_E_NOMEM;
        explicit_bzero(text, sizeof(text));
        CN_TRY(err);
    }
    return CN_OK;
}

static void tell_links(const struct inviting *inviting, const json_t *links)
{
    const struct cn_args *args = inviting->args;
    char time[CN_TIME_TEXT_BYTES];
    for (size_t i = 0; i < json_array_size(links); i++)
        fprintf(args->out, "%s\n", json_string_value(json_array_get(links, i)));
    if (args->quiet)
        return;
    fprintf(args->err,
            "Good for %u device%s each until %s. On the device:\n"
            "  cairn-client join LINK DIR\n",
            (unsigned)inviting->uses, inviting->uses == 1 ? "" : "s",
            cn_time_text(inviting->expires_s, time));
}

int commands_invite(const struct cn_args *args)
{
    struct inviting inviting = {.args = args};
    struct cn_diag diag = {0};
    json_t *links = json_array();
    enum cn_err err = links ? make_links(&inviting, links, &diag) : CN_E_NOMEM;
    int code = CN_EXIT_DONE;
    if (err != CN_OK)
        code = cn_args_fail(args, err, &diag);
    else if (args->json)
        code = commands_json(args, json_pack("{s:O, s:i, s:I}", "links", links, "uses",
                                             (int)inviting.uses, "expires",
                                             (json_int_t)inviting.expires_s));
    else
        tell_links(&inviting, links);
    json_decref(links);
    sign_key_free(inviting.registrar);
    folder_close(&inviting.folder);
    return code;
}

/* ---- serve ---- */

static void tell_listening(void *ctx, const char *host, uint16_t port)
{
    const struct cn_args *args = ctx;
    if (!args->json)
        return;
    (void)commands_json(args, json_pack("{s:s, s:i}", "host", host, "port", (int)port));
    fflush(args->out);
}

/* server_run only hands the context back; what it points to stays const. */
static void *lend(const struct cn_args *args)
{
    void *lent;
    memcpy(&lent, &args, sizeof(lent));
    return lent;
}

int commands_serve(const struct cn_args *args)
{
    struct server_options options = {.folder = cn_args_argument(args, 0),
                                     .until_done = cn_args_flag(args, "until-done"),
                                     .listening = tell_listening,
                                     .ctx = lend(args)};
    struct cn_diag diag = {0};
    enum cn_err err = config_load(&options.config, options.folder, &diag);
    if (err == CN_OK && cn_args_given(args, "port"))
        options.config.listen_port = (uint16_t)cn_args_uint(args, "port");
    if (err == CN_OK)
        err = server_run(&options, &diag);
    return err == CN_OK ? CN_EXIT_DONE : cn_args_fail(args, err, &diag);
}
