/* SPDX-License-Identifier: Apache-2.0 */
/* device list, device revoke, status. */
#include "aggregator/commands_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/text.h"

/* ---- devices ---- */

struct device_listing {
    const struct cn_args *args;
    json_t *array;
    uint32_t count, revoked;
};

static json_t *device_json(const struct store_device *device)
{
    bool declined = device->declined[0] != '\0';
    return json_pack("{s:o, s:s, s:I, s:I, s:b, s:s, s:o, s:I}", "id",
                     commands_hex(device->id, DEVICE_ID_BYTES), "name", device->certificate.name,
                     "enrolled", (json_int_t)device->enrolled_s, "seen", (json_int_t)device->seen_s,
                     "revoked", device->revoked_s != 0, "software", device->software, "declined",
                     declined ? json_string(device->declined) : json_null(), "declined_at",
                     (json_int_t)device->declined_s);
}

/* Prints what a peer said; it can not move the cursor or colour the screen. */
static void put_foreign(FILE *out, const char *text)
{
    struct cn_buf safe;
    cn_buf_init(&safe, 4 * STORE_REASON_MAX + 1);
    cn_put_printable(&safe, text, strlen(text));
    if (cn_buf_finish(&safe) == CN_OK)
        fwrite(safe.data, 1, safe.len, out);
    cn_buf_clear(&safe);
}

static void print_device(const struct cn_args *args, const struct store_device *device)
{
    char id[2 * DEVICE_ID_BYTES + 1], seen[CN_TIME_TEXT_BYTES];
    cn_hex_encode(id, device->id, DEVICE_ID_BYTES);
    fprintf(args->out, "%-24s %.8s  %-9s last seen %-20s", device->certificate.name, id,
            device->revoked_s ? "revoked" : "enrolled",
            device->seen_s ? cn_time_text(device->seen_s, seen) : "never");
    if (device->declined[0]) {
        fprintf(args->out, "  declined: ");
        put_foreign(args->out, device->declined);
    }
    fputc('\n', args->out);
}

static enum cn_err list_device(void *ctx, const struct store_device *device)
{
    struct device_listing *listing = ctx;
    listing->count++;
    listing->revoked += device->revoked_s != 0;
    if (!listing->args->json)
        print_device(listing->args, device);
    else if (json_array_append_new(listing->array, device_json(device)) != 0)
        return CN_E_NOMEM;
    return CN_OK;
}

int commands_device_list(const struct cn_args *args)
{
    struct folder folder;
    struct cn_diag diag = {0};
    struct device_listing listing = {.args = args, .array = json_array()};
    enum cn_err err = folder_open(&folder, args, &diag);
    if (err == CN_OK)
        err = store_device_list(folder.store, list_device, &listing);
    folder_close(&folder);
    if (err != CN_OK) {
        json_decref(listing.array);
        return cn_args_fail(args, err, &diag);
    }
    if (args->json)
        return commands_json(args, json_pack("{s:o}", "devices", listing.array));
    json_decref(listing.array);
    if (!listing.count)
        fprintf(args->out, "No device yet: cairn-aggregator invite %s\n", folder.path);
    return CN_EXIT_DONE;
}

int commands_device_revoke(const struct cn_args *args)
{
    struct folder folder;
    struct store_device device;
    struct cn_diag diag = {0};
    enum cn_err err = folder_open(&folder, args, &diag);
    if (err == CN_OK)
        err = store_device_find(folder.store, cn_args_argument(args, 1), &device, &diag);
    if (err == CN_OK)
        err = store_device_revoke(folder.store, device.id, commands_now_s());
    if (err == CN_OK)
        err = store_device_get(folder.store, device.id, &device);
    folder_close(&folder);
    if (err != CN_OK)
        return cn_args_fail(args, err, &diag);
    if (args->json)
        return commands_json(args, device_json(&device));
    fprintf(args->out, "Shut out %s. It is disconnected and can not come back with this key.\n",
            device.certificate.name);
    return CN_EXIT_DONE;
}

/* ---- status ---- */

struct status {
    const struct cn_args *args;
    struct folder folder;
    json_t *tasks;
    uint32_t task_count;
};

/* Whether a process serves the folder: it holds the lock. */
static bool is_served(const struct folder *folder)
{
    char path[CN_PATH_MAX];
    int fd = -1;
    if (cn_path_join(path, folder->path, CONFIG_LOCK) != CN_OK || !cn_file_exists(path))
        return false;
    if (cn_file_lock(path, &fd, NULL) != CN_OK)
        return true;
    close(fd);
    return false;
}

static enum cn_err status_task(void *ctx, const struct store_task *task)
{
    struct status *status = ctx;
    status->task_count++;
    if (!status->args->json) {
        fputc('\n', status->args->out);
        commands_task_line(status->args, task);
        if (strcmp(commands_task_mode(&status->folder.registry, task), "off") == 0)
            fprintf(status->args->out, "  " COMMANDS_UNMASKED "\n");
        bool begun = task->published > 0 || task->attempt > 0 || task->state != STORE_TASK_WAITING;
        return begun ? commands_rounds_table(status->args, status->folder.store, task) : CN_OK;
    }
    json_t *object = commands_task_json(task);
    json_t *rounds = NULL;
    enum cn_err err = commands_rounds_json(&rounds, status->folder.store, task);
    const char *mode = commands_task_mode(&status->folder.registry, task);
    if (err == CN_OK && (json_object_set_new(object, "rounds", rounds) != 0 ||
                         json_object_set_new(object, "secure_aggregation", json_string(mode)) != 0))
        err = CN_E_NOMEM;
    if (err == CN_OK && json_array_append_new(status->tasks, object) != 0)
        return CN_E_NOMEM;
    if (err != CN_OK)
        json_decref(object);
    return err;
}

static int status_json(struct status *status, bool served)
{
    struct device_listing devices = {.args = status->args, .array = json_array()};
    struct store *store = status->folder.store;
    enum cn_err err = store_device_list(store, list_device, &devices);
    if (err == CN_OK)
        err = store_task_list(store, status_task, status);
    if (err != CN_OK) {
        json_decref(devices.array);
        json_decref(status->tasks);
        return cn_args_fail(status->args, err, NULL);
    }
    return commands_json(status->args,
                         json_pack("{s:s, s:s, s:b, s:o, s:o}", "folder", status->folder.path,
                                   "name", status->folder.config.name, "serving", (int)served,
                                   "devices", devices.array, "tasks", status->tasks));
}

static enum cn_err count_device(void *ctx, const struct store_device *device)
{
    struct device_listing *listing = ctx;
    listing->count++;
    listing->revoked += device->revoked_s != 0;
    return CN_OK;
}

static int status_text(struct status *status, bool served)
{
    const struct cn_args *args = status->args;
    struct device_listing devices = {.args = args};
    enum cn_err err = store_device_list(status->folder.store, count_device, &devices);
    fprintf(args->out, "%s: %s, %u devices enrolled, %u revoked\n", status->folder.config.name,
            served ? "serving" : "not serving", (unsigned)(devices.count - devices.revoked),
            (unsigned)devices.revoked);
    if (err == CN_OK)
        err = store_task_list(status->folder.store, status_task, status);
    if (err != CN_OK)
        return cn_args_fail(args, err, NULL);
    if (!served)
        fprintf(args->out, "\nNext:  cairn-aggregator serve %s\n", status->folder.path);
    else if (!devices.count)
        fprintf(args->out, "\nNext:  cairn-aggregator invite %s\n", status->folder.path);
    else if (!status->task_count)
        fprintf(args->out, "\nNext:  cairn-aggregator task submit %s TASK.yaml\n",
                status->folder.path);
    return CN_EXIT_DONE;
}

int commands_status(const struct cn_args *args)
{
    struct status status = {.args = args};
    struct cn_diag diag = {0};
    enum cn_err err = folder_open(&status.folder, args, &diag);
    int code;
    if (err != CN_OK) {
        code = cn_args_fail(args, err, &diag);
    } else if (args->json) {
        status.tasks = json_array();
        code = status_json(&status, is_served(&status.folder));
    } else {
        code = status_text(&status, is_served(&status.folder));
    }
    folder_close(&status.folder);
    return code;
}
