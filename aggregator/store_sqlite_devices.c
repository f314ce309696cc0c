/* SPDX-License-Identifier: Apache-2.0 */
/* Devices, invitations, and what of them and of tasks is not yet in the ledger. */
#include "aggregator/store_sqlite_internal.h"

#include <string.h>

#define DEVICE_COLUMNS                                                                             \
    "id, certificate, enrolled_s, seen_s, revoked_s, software, declined, declined_s"

/* ---- invitations ---- */

enum cn_err store_invitation_add(struct store *store, const struct store_invitation *invitation)
{
    struct query query = query_open(store, "INSERT INTO invitations VALUES (?, ?, ?, ?, ?, ?)");
    query_bind_blob(&query, invitation->id, INVITATION_ID_BYTES);
    query_bind_text(&query, invitation->name);
    query_bind_int(&query, invitation->made_s);
    query_bind_int(&query, invitation->expires_s);
    query_bind_int(&query, invitation->uses);
    query_bind_int(&query, invitation->used);
    return query_run(&query, NULL);
}

enum cn_err store_invitation_list(struct store *store, store_invitation_visit visit, void *ctx)
{
    struct query query = query_open(store, "SELECT id, name, made_s, expires_s, uses, used"
                                           " FROM invitations ORDER BY made_s, id");
    while (query_row(&query)) {
        struct store_invitation invitation = {0};
        query_blob(&query, invitation.id, INVITATION_ID_BYTES);
        query_text(&query, invitation.name, sizeof(invitation.name));
        invitation.made_s = query_int(&query);
        invitation.expires_s = query_int(&query);
        invitation.uses = query_u32(&query);
        invitation.used = query_u32(&query);
        if (query.err == CN_OK)
            query.err = visit(ctx, &invitation);
    }
    return query_close(&query);
}

/* Counts one use. An invitation of a registrar elsewhere is met here for the first time. */
static enum cn_err invitation_use(struct store *store, const struct invitation *invitation,
                                  int64_t now_s)
{
    struct query query =
        query_open(store, "INSERT OR IGNORE INTO invitations VALUES (?, '', ?, ?, ?, 0)");
    query_bind_blob(&query, invitation->id, INVITATION_ID_BYTES);
    query_bind_int(&query, now_s);
    query_bind_int(&query, invitation->expires_s);
    query_bind_int(&query, invitation->uses);
    CN_TRY(query_run(&query, NULL));
    /* The signed number counts, whatever stands in the table. */
    query = query_open(store, "UPDATE invitations SET used = used + 1 WHERE id = ? AND used < ?");
    query_bind_blob(&query, invitation->id, INVITATION_ID_BYTES);
    query_bind_int(&query, invitation->uses);
    int changed = 0;
    CN_TRY(query_run(&query, &changed));
    return changed == 1 ? CN_OK : CN_E_USED;
}

/* ---- devices ---- */

static void device_row(struct query *query, struct store_device *device)
{
    memset(device, 0, sizeof(*device));
    query_blob(query, device->id, DEVICE_ID_BYTES);
    const void *bytes = sqlite3_column_blob(query->statement, query->column);
    size_t len = (size_t)sqlite3_column_bytes(query->statement, query->column++);
    struct cn_reader reader;
    cn_reader_init(&reader, bytes, bytes ? len : 0);
    if (certificate_decode(&reader, &device->certificate) != CN_OK && query->err == CN_OK)
        query->err = CN_E_DATA;
    device->enrolled_s = query_int(query);
    device->seen_s = query_int(query);
    device->revoked_s = query_int(query);
    query_text(query, device->software, sizeof(device->software));
    query_text(query, device->declined, sizeof(device->declined));
    device->declined_s = query_int(query);
}

enum cn_err store_device_get(struct store *store, const uint8_t id[DEVICE_ID_BYTES],
                             struct store_device *device)
{
    struct query query = query_open(store, "SELECT " DEVICE_COLUMNS " FROM devices WHERE id = ?");
    query_bind_blob(&query, id, DEVICE_ID_BYTES);
    bool found = query_row(&query);
    if (found)
        device_row(&query, device);
    CN_TRY(query_close(&query));
    return found ? CN_OK : CN_E_NOT_FOUND;
}

enum cn_err store_device_find(struct store *store, const char *text, struct store_device *device,
                              struct cn_diag *diag)
{
    char pattern[2 * DEVICE_ID_BYTES + 2];
    store_id_pattern(pattern, text);
    struct query query = query_open(store, "SELECT " DEVICE_COLUMNS " FROM devices"
                                           " WHERE name = ?1 OR hex(id) LIKE ?2 LIMIT 2");
    query_bind_text(&query, text);
    query_bind_text(&query, pattern);
    int found = 0;
    while (query_row(&query) && ++found == 1)
        device_row(&query, device);
    CN_TRY(query_close(&query));
    if (found == 1)
        return CN_OK;
    cn_diag_set(diag, NULL, 0, 0,
                found ? "more than one device is called '%s'" : "no device is called '%s'", text);
    cn_diag_hint(diag, "`cairn-aggregator device list DIR` shows names and ids; an id's first"
                       " digits are enough");
    return found ? CN_E_CONFIG : CN_E_NOT_FOUND;
}

enum cn_err store_device_list(struct store *store, store_device_visit visit, void *ctx)
{
    struct query query = query_open(store, "SELECT " DEVICE_COLUMNS " FROM devices"
                                           " ORDER BY enrolled_s, name, id");
    while (query_row(&query)) {
        struct store_device device;
        device_row(&query, &device);
        if (query.err == CN_OK)
            query.err = visit(ctx, &device);
    }
    return query_close(&query);
}

/* Writes the device's row; a device that was there keeps all but its certificate. */
static enum cn_err device_put(struct store *store, const uint8_t id[DEVICE_ID_BYTES],
                              const struct certificate *certificate, int64_t now_s)
{
    struct cn_buf bytes;
    cn_buf_init(&bytes, CERTIFICATE_BYTES_MAX);
    certificate_encode(&bytes, certificate);
    enum cn_err err = cn_buf_finish(&bytes);
    if (err == CN_OK) {
        struct query query = query_open(
            store, "INSERT INTO devices (id, name, certificate, invitation, enrolled_s)"
                   " VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
                   " certificate = excluded.certificate, invitation = excluded.invitation");
        query_bind_blob(&query, id, DEVICE_ID_BYTES);
        query_bind_text(&query, certificate->name);
        query_bind_blob(&query, bytes.data, bytes.len);
        query_bind_blob(&query, certificate->invitation.id, INVITATION_ID_BYTES);
        query_bind_int(&query, now_s);
        err = query_run(&query, NULL);
    }
    cn_buf_clear(&bytes);
    return err;
}

static enum cn_err enrol(struct store *store, const struct certificate *certificate, int64_t now_s,
                         bool *again)
{
    uint8_t id[DEVICE_ID_BYTES];
    certificate_device_id(id, certificate);
    struct store_device known;
    enum cn_err err = store_device_get(store, id, &known);
    if (err != CN_OK && err != CN_E_NOT_FOUND)
        return err;
    if (err == CN_OK && known.revoked_s)
        return CN_E_REVOKED;
    *again = err == CN_OK && memcmp(known.certificate.invitation.id, certificate->invitation.id,
                                    INVITATION_ID_BYTES) == 0;
    if (!*again)
        CN_TRY(invitation_use(store, &certificate->invitation, now_s));
    return device_put(store, id, certificate, now_s);
}

enum cn_err store_enrol(struct store *store, const struct certificate *certificate, int64_t now_s,
                        bool *again)
{
    *again = false;
    CN_TRY(store_call_begin(store));
    return store_call_end(store, enrol(store, certificate, now_s, again));
}

static enum cn_err found(enum cn_err err, int changed)
{
    return err == CN_OK && changed == 0 ? CN_E_NOT_FOUND : err;
}

enum cn_err store_device_revoke(struct store *store, const uint8_t id[DEVICE_ID_BYTES],
                                int64_t now_s)
{
    struct query query = query_open(
        store, "UPDATE devices SET revoked_s = iif(revoked_s = 0, ?, revoked_s) WHERE id = ?");
    query_bind_int(&query, now_s > 0 ? now_s : 1);
    query_bind_blob(&query, id, DEVICE_ID_BYTES);
    int changed = 0;
    enum cn_err err = query_run(&query, &changed);
    return found(err, changed);
}

enum cn_err store_device_seen(struct store *store, const uint8_t id[DEVICE_ID_BYTES],
                              const char *software, int64_t now_s)
{
    struct query query =
        query_open(store, "UPDATE devices SET seen_s = ?, software = ? WHERE id = ?");
    query_bind_int(&query, now_s);
    query_bind_text(&query, software);
    query_bind_blob(&query, id, DEVICE_ID_BYTES);
    return query_run(&query, NULL);
}

enum cn_err store_device_declined(struct store *store, const uint8_t id[DEVICE_ID_BYTES],
                                  const char *reason, int64_t now_s)
{
    struct query query =
        query_open(store, "UPDATE devices SET declined = ?, declined_s = ? WHERE id = ?");
    query_bind_text(&query, reason);
    query_bind_int(&query, now_s);
    query_bind_blob(&query, id, DEVICE_ID_BYTES);
    return query_run(&query, NULL);
}

/* ---- events for the ledger ---- */

enum cn_err store_event_next(struct store *store, struct store_event *event)
{
    struct query query = query_open(
        store, "SELECT 0, id, name, enrolled_s AS t FROM devices WHERE NOT enrolled_recorded"
               " UNION ALL SELECT 1, id, name, revoked_s FROM devices"
               "  WHERE revoked_s > 0 AND enrolled_recorded AND NOT revoked_recorded"
               " UNION ALL SELECT 2, id, name, submitted_s FROM tasks WHERE NOT recorded"
               " ORDER BY t LIMIT 1");
    bool any = query_row(&query);
    memset(event, 0, sizeof(*event));
    if (any) {
        event->kind = (enum store_event_kind)query_u32(&query);
        query_blob(&query, event->id, sizeof(event->id));
        query_text(&query, event->name, sizeof(event->name));
        event->time_s = query_int(&query);
    }
    CN_TRY(query_close(&query));
    return any ? CN_OK : CN_E_NOT_FOUND;
}

enum cn_err store_event_done(struct store *store, const struct store_event *event)
{
    static const char *const sql[] = {
        [STORE_ENROLLED] = "UPDATE devices SET enrolled_recorded = 1"
                           " WHERE id = ? AND NOT enrolled_recorded",
        [STORE_REVOKED] = "UPDATE devices SET revoked_recorded = 1"
                          " WHERE id = ? AND NOT revoked_recorded",
        [STORE_SUBMITTED] = "UPDATE tasks SET recorded = 1 WHERE id = ? AND NOT recorded",
    };
    struct query query = query_open(store, sql[event->kind]);
    query_bind_blob(&query, event->id, sizeof(event->id));
    return query_run(&query, NULL);
}
