/* SPDX-License-Identifier: Apache-2.0 */
/* Making, opening and closing a client's folder. */
#include "client/home.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "crypto/keyfile.h"
#include "crypto/random.h"
#include "privacy/receipt.h"

#define KEY_FILE "device.key"
#define CERTIFICATE_FILE "device.crt"
#define LOCK_FILE "lock"

/* The key is the last file to appear, so a folder with a key is a whole one. */
static enum cn_err make_files(const struct home_plan *plan, const struct certificate *certificate,
                              const struct sign_key *identity, struct cn_diag *diag)
{
    const struct join_link *link = plan->link;
    struct client_config config = {.port = link->port};
    struct client_limits limits = client_limits_default();
    char path[CN_PATH_MAX];
    struct cn_buf bytes;
    enum cn_err err;

    memcpy(config.host, link->host, sizeof config.host);
    memcpy(config.pin, link->tls_pin, sizeof config.pin);
    memcpy(config.registrar, link->invitation.registrar, sizeof config.registrar);
    snprintf(config.name, sizeof config.name, "%s", plan->name);
    config.data = *plan->data;
    CN_TRY(client_config_save(&config, plan->dir, diag));
    CN_TRY(client_limits_save(&limits, plan->dir, diag));
    CN_TRY(cn_path_join(path, plan->dir, CERTIFICATE_FILE));
    cn_buf_init(&bytes, CERTIFICATE_BYTES_MAX);
    certificate_encode(&bytes, certificate);
    err = cn_buf_finish(&bytes);
    if (err == CN_OK)
        err = cn_file_write(path, bytes.data, bytes.len, 0644, diag);
    cn_buf_clear(&bytes);
    CN_TRY(err);
    CN_TRY(cn_path_join(path, plan->dir, KEY_FILE));
    return keyfile_save(path, identity, plan->passphrase, diag);
}

/* A ledger without a key is the record of a device that was: nothing may be made of it, and nothing
 * may take it away, as a join that fails would. */
static enum cn_err refuse_old_ledger(const char *dir, struct cn_diag *diag)
{
    char path[CN_PATH_MAX];

    CN_TRY(cn_path_join(path, dir, HOME_LEDGER_FILE));
    if (!cn_file_exists(path))
        return CN_OK;
    cn_diag_set(diag, path, 0, 0, "is the ledger of a device whose key is gone");
    cn_diag_hint(diag, "keep it: it says what privacy was spent; join with another folder");
    return CN_E_EXISTS;
}

enum cn_err home_make(const struct home_plan *plan, struct cn_diag *diag)
{
    struct sign_key *one_time = NULL, *identity = NULL;
    struct certificate certificate;
    struct cn_random random;
    char path[CN_PATH_MAX];
    enum cn_err err;

    CN_TRY(cn_folder_make(plan->dir, 0700, diag));
    CN_TRY(cn_path_join(path, plan->dir, KEY_FILE));
    if (cn_file_exists(path)) {
        cn_diag_set(diag, plan->dir, 0, 0, "there is a device in this folder already");
        cn_diag_hint(diag, "start it with `cairn-client run %s`, or join with another folder",
                     plan->dir);
        return CN_E_EXISTS;
    }
    CN_TRY(refuse_old_ledger(plan->dir, diag));
    CN_TRY(random_system(&random));
    CN_TRY_OUT(err, sign_key_from_seed(&one_time, plan->link->secret));
    CN_TRY_OUT(err, sign_key_new(&identity, &random));
    CN_TRY_OUT(err, certificate_make(&certificate, &plan->link->invitation, one_time, identity,
                                     plan->name, plan->clock.wall_s(plan->clock.ctx)));
    CN_TRY_OUT(err, make_files(plan, &certificate, identity, diag));
out:
    sign_key_free(one_time);
    sign_key_free(identity);
    return err;
}

enum cn_err home_read_certificate(struct certificate *certificate, const char *dir,
                                  struct cn_diag *diag)
{
    char path[CN_PATH_MAX];
    struct cn_buf bytes;
    struct cn_reader reader;
    enum cn_err err;

    CN_TRY(cn_path_join(path, dir, CERTIFICATE_FILE));
    err = cn_file_read(&bytes, path, CERTIFICATE_BYTES_MAX, diag);
    if (err == CN_E_NOT_FOUND)
        cn_diag_hint(diag, "no device lives in this folder: `cairn-client join LINK %s` makes one",
                     dir);
    CN_TRY(err);
    cn_reader_init(&reader, bytes.data, bytes.len);
    err = certificate_decode(&reader, certificate);
    if (err == CN_OK)
        err = cn_reader_finish(&reader);
    if (err != CN_OK) {
        cn_diag_set(diag, path, 0, 0, "is not a device's certificate");
        cn_diag_hint(diag, "restore it from a backup, or ask for a new invitation");
        err = CN_E_DATA;
    }
    cn_buf_clear(&bytes);
    return err;
}

static enum cn_err load_identity(struct home *home, const char *passphrase, struct cn_diag *diag)
{
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    char path[CN_PATH_MAX];

    CN_TRY(home_read_certificate(&home->certificate, home->dir, diag));
    CN_TRY(cn_path_join(path, home->dir, KEY_FILE));
    CN_TRY(keyfile_load(&home->identity, path, passphrase, diag));
    sign_key_public(home->identity, public_key);
    if (memcmp(public_key, home->certificate.device, sizeof public_key) != 0 ||
        certificate_check(&home->certificate, home->config.registrar) != CN_OK) {
        cn_diag_set(
            diag, home->dir, 0, 0,
            "device.key, device.crt and the registrar in client.yaml do not belong together");
        cn_diag_hint(diag, "restore the folder from a backup, or join again in a new folder");
        return CN_E_AUTH;
    }
    return CN_OK;
}

struct home_payment *home_payment(const struct home *home, const uint8_t task[TASK_ID_BYTES])
{
    for (uint32_t i = 0; i < home->paid_count; i++)
        if (memcmp(home->paid[i].id.task, task, TASK_ID_BYTES) == 0)
            return &home->paid[i];
    return NULL;
}

struct round_id *home_paid(const struct home *home, const uint8_t task[TASK_ID_BYTES])
{
    struct home_payment *payment = home_payment(home, task);

    return payment ? &payment->id : NULL;
}

enum cn_err home_remember(struct home *home, const struct round_id *id)
{
    struct home_payment *paid = home_payment(home, id->task);

    if (!paid) {
        if (home->paid_count == LEDGER_TOTAL_TASKS_MAX)
            return CN_E_TOO_LARGE;
        paid = realloc(home->paid, (home->paid_count + 1) * sizeof *paid);
        if (!paid)
            return CN_E_NOMEM;
        home->paid = paid;
        paid += home->paid_count++;
    }
    *paid = (struct home_payment){.id = *id};
    return CN_OK;
}

/* Keeps with a payment what a receipt for it has to say. */
static enum cn_err see_payment(struct home *home, const struct ledger_entry *entry)
{
    struct round_id id = {.round = entry->round, .attempt = entry->attempt};
    struct home_payment *paid;

    memcpy(id.task, entry->task_id, TASK_ID_BYTES);
    if (strcmp(entry->kind, "spent") == 0) {
        CN_TRY(home_remember(home, &id));
        paid = home_payment(home, id.task);
        CN_ASSERT(paid);
        memcpy(paid->binding, entry->binding, sizeof paid->binding);
        snprintf(paid->task, sizeof paid->task, "%s", entry->task);
    } else if (strcmp(entry->kind, RECEIPT_KIND) == 0) {
        paid = home_payment(home, id.task);
        if (paid && round_id_equal(&paid->id, &id))
            paid->receipted = true;
    }
    return CN_OK;
}

struct budget_limits home_budget_limits(const struct client_limits *limits)
{
    struct budget_limits out = {.period_s = (uint64_t)limits->period_days * HOME_DAY_S};
    const double epsilons[BUDGET_SCOPES] = {[BUDGET_LIFE] = limits->epsilon_life,
                                            [BUDGET_PERIOD] = limits->epsilon_period,
                                            [BUDGET_TASK] = limits->epsilon_task};

    for (int i = 0; i < BUDGET_SCOPES; i++)
        out.scope[i] = (struct budget_limit){epsilons[i], epsilons[i] > 0 ? limits->delta : 0};
    return out;
}

/* A checkpoint with a reason is evidence against the aggregator; one without is what it is held
 * to, and ends a quarrel: only the owner's word writes it then. */
static void see_checkpoint(struct home *home, const struct ledger_entry *entry)
{
    struct checkpoint checkpoint;

    if (checkpoint_of_entry(&checkpoint, entry) != CN_OK)
        return;
    if (strcmp(entry->kind, CHECKPOINT_KIND) == 0) {
        home->quarrel = entry->reason[0] != '\0';
        if (home->quarrel)
            return;
    } else if (checkpoint.count < home->seen.count) {
        return; /* a receipt of before the newest checkpoint */
    }
    home->seen = checkpoint;
    home->seen_kept_s = entry->time_s;
}

static enum cn_err see_entry(void *ctx, const struct ledger_entry *entry)
{
    struct home *home = ctx;

    CN_TRY(see_payment(home, entry));
    see_checkpoint(home, entry);
    CN_TRY(budget_add(home->budget, entry));
    return ledger_total_add(&home->spent, entry);
}

enum cn_err home_append(struct home *home, struct ledger_entry *entry)
{
    CN_TRY(ledger_append(home->ledger, entry));
    /* From here on it counts, whether or not anything leaves. */
    return see_entry(home, entry);
}

enum cn_err home_use_limits(struct home *home, struct cn_diag *diag)
{
    struct budget_limits limits = home_budget_limits(&home->limits);
    struct budget *budget;
    struct ledger_summary summary;
    char path[CN_PATH_MAX];
    enum cn_err err;

    CN_TRY(cn_path_join(path, home->dir, HOME_LEDGER_FILE));
    CN_TRY(budget_new(&budget, &limits));
    err = ledger_read(path, budget_add, budget, &summary, diag);
    if (err != CN_OK) {
        budget_free(budget);
        return err;
    }
    budget_free(home->budget);
    home->budget = budget;
    return CN_OK;
}

static enum cn_err open_ledger(struct home *home, struct cn_diag *diag)
{
    struct ledger_owner owner = {home->config.name, "device", home->clock.wall_s(home->clock.ctx)};
    struct budget_limits limits = home_budget_limits(&home->limits);
    struct ledger_summary summary;
    char path[CN_PATH_MAX];

    CN_TRY(cn_path_join(path, home->dir, HOME_LEDGER_FILE));
    CN_TRY(budget_new(&home->budget, &limits));
    CN_TRY(ledger_open(&home->ledger, path, home->identity, &owner, diag));
    return ledger_read(path, see_entry, home, &summary, diag);
}

enum cn_err home_open(struct home **out, const char *dir, const char *passphrase,
                      struct cn_clock clock, struct cn_diag *diag)
{
    struct home *home = calloc(1, sizeof *home);
    char path[CN_PATH_MAX];
    enum cn_err err;

    *out = NULL;
    if (!home)
        return CN_E_NOMEM;
    home->lock = -1;
    home->clock = clock;
    snprintf(home->dir, sizeof home->dir, "%s", dir);
    ledger_total_init(&home->spent, 0);
    CN_TRY_OUT(err, home_read_certificate(&home->certificate, dir, diag));
    CN_TRY_OUT(err, cn_path_join(path, dir, LOCK_FILE));
    CN_TRY_OUT(err, cn_file_lock(path, &home->lock, diag));
    CN_TRY_OUT(err, client_config_load(&home->config, dir, diag));
    CN_TRY_OUT(err, client_limits_load(&home->limits, dir, diag));
    CN_TRY_OUT(err, load_identity(home, passphrase, diag));
    CN_TRY_OUT(err, open_ledger(home, diag));
    CN_TRY_OUT(err, certificate_cache_new(&home->known));
    *out = home;
    return CN_OK;
out:
    home_close(home);
    return err;
}

void home_remove(const char *dir)
{
    static const char *const names[] = {
        KEY_FILE,         CERTIFICATE_FILE,         CLIENT_CONFIG_FILE, CLIENT_LIMITS_FILE,
        HOME_LEDGER_FILE, HOME_LEDGER_FILE ".lock", HOME_DECLINED_FILE, LOCK_FILE};
    char path[CN_PATH_MAX];

    for (size_t i = 0; i < CN_COUNT(names); i++)
        if (cn_path_join(path, dir, names[i]) == CN_OK)
            unlink(path);
    rmdir(dir);
}

bool home_is_running(const char *dir)
{
    char path[CN_PATH_MAX];
    int fd;

    if (cn_path_join(path, dir, LOCK_FILE) != CN_OK || !cn_file_exists(path))
        return false;
    if (cn_file_lock(path, &fd, NULL) != CN_OK)
        return true;
    close(fd);
    return false;
}

void home_close(struct home *home)
{
    if (!home)
        return;
    ledger_close(home->ledger);
    ledger_total_clear(&home->spent);
    budget_free(home->budget);
    sign_key_free(home->identity);
    certificate_cache_free(home->known);
    free(home->paid);
    if (home->lock >= 0)
        close(home->lock);
    free(home);
}
