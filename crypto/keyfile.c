/* SPDX-License-Identifier: Apache-2.0 */
/* Key files as text. The text, the seed and the derived key share one block of locked memory, which
 * is wiped when it is freed. */
#include "crypto/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "crypto/hash.h"
#include "crypto/keyfile_internal.h"
#include "crypto/random.h"
#include "crypto/seal.h"

#define HEAD "cairn-key "
#define HEAD_PLAIN "cairn-key 1 plain"
#define HEAD_LOCKED "cairn-key 1 argon2id"
#define TEXT_MAX 1024 /* three times the longest file */
#define CHECK_BYTES 8
#define SALT_BYTES crypto_pwhash_argon2id_SALTBYTES
#define BOX_BYTES (SIGN_SEED_BYTES + SEAL_OVERHEAD)

struct work {
    char text[TEXT_MAX + 1]; /* always zero-terminated */
    size_t len;
    size_t at; /* where the next line to read begins */
    uint8_t seed[SIGN_SEED_BYTES];
    uint8_t key[SEAL_KEY_BYTES];
    char hex[2 * BOX_BYTES + 1];
};

struct lock {
    struct keyfile_cost cost;
    uint8_t salt[SALT_BYTES];
};

static enum cn_err work_new(struct work **work)
{
    *work = NULL;
    if (sodium_init() < 0)
        return CN_E_RANDOM;
    *work = sodium_malloc(sizeof **work);
    if (!*work)
        return CN_E_NOMEM;
    memset(*work, 0, sizeof **work);
    return CN_OK;
}

static void check_of(char out[2 * CHECK_BYTES + 1], const struct work *work, size_t len)
{
    uint8_t digest[HASH_BYTES];

    hash_of(digest, "cairn-key-file", work->text, len);
    sodium_bin2hex(out, 2 * CHECK_BYTES + 1, digest, CHECK_BYTES);
}

/* The box is bound to the first len bytes: every line before it. */
static struct seal_binding binding_of(const struct work *work, size_t len)
{
    return (struct seal_binding){"cairn-key-box", work->text, len};
}

static enum cn_err stretch(struct work *work, const char *passphrase, const struct lock *lock,
                           const char *path, struct cn_diag *diag)
{
    if (crypto_pwhash(work->key, sizeof work->key, passphrase, strlen(passphrase), lock->salt,
                      lock->cost.passes, (size_t)lock->cost.memory_bytes,
                      crypto_pwhash_ALG_ARGON2ID13) == 0)
        return CN_OK;
    cn_diag_set(diag, path, 0, 0, "its passphrase takes %" PRIu64 " MiB of memory to check",
                lock->cost.memory_bytes >> 20);
    cn_diag_hint(diag, "free some memory, or raise the limit of this process, and start again");
    return CN_E_NOMEM;
}

/* --- writing -----------------------------------------------------------------------------------
 */

static void put_hex(struct work *work, const char *name, const uint8_t *bytes, size_t len)
{
    size_t room = sizeof work->text - work->len;

    sodium_bin2hex(work->hex, sizeof work->hex, bytes, len);
    work->len += (size_t)snprintf(work->text + work->len, room, "%s %s\n", name, work->hex);
    CN_ASSERT(work->len <= TEXT_MAX);
}

static void put_head(struct work *work, const char *head, const struct sign_key *key)
{
    uint8_t public_key[SIGN_PUBLIC_BYTES];

    work->len = (size_t)snprintf(work->text, sizeof work->text, "%s\n", head);
    sign_key_public(key, public_key);
    put_hex(work, "public", public_key, sizeof public_key);
    sign_key_seed(key, work->seed);
}

static enum cn_err put_locked(struct work *work, const char *passphrase,
                              const struct keyfile_cost *cost, const char *path,
                              struct cn_diag *diag)
{
    struct lock lock = {.cost = *cost};
    struct seal_binding binding;
    struct cn_random random;
    uint8_t box[BOX_BYTES];

    CN_TRY(random_system(&random));
    cn_random_fill(&random, lock.salt, sizeof lock.salt);
    CN_TRY(stretch(work, passphrase, &lock, path, diag));
    work->len +=
        (size_t)snprintf(work->text + work->len, sizeof work->text - work->len,
                         "cost %" PRIu64 " %" PRIu64 "\n", cost->passes, cost->memory_bytes);
    put_hex(work, "salt", lock.salt, sizeof lock.salt);
    binding = binding_of(work, work->len);
    seal_make(box, work->seed, sizeof work->seed, &binding, work->key, &random);
    put_hex(work, "box", box, sizeof box);
    return CN_OK;
}

static enum cn_err may_save(const char *path, const char *passphrase, struct cn_diag *diag)
{
    size_t len = passphrase ? strnlen(passphrase, KEYFILE_PASSPHRASE_MAX + 1) : 1;

    if (len == 0 || len > KEYFILE_PASSPHRASE_MAX) {
        cn_diag_set(diag, path, 0, 0, "a passphrase has 1 to %d bytes", KEYFILE_PASSPHRASE_MAX);
        return CN_E_CONFIG;
    }
    if (cn_file_exists(path)) {
        cn_diag_set(diag, path, 0, 0, "exists already, and a key file is never overwritten");
        cn_diag_hint(diag, "move it away first if you want a new key");
        return CN_E_EXISTS;
    }
    return CN_OK;
}

enum cn_err keyfile_save_at(const char *path, const struct sign_key *key, const char *passphrase,
                            const struct keyfile_cost *cost, struct cn_diag *diag)
{
    char check[2 * CHECK_BYTES + 1];
    struct work *work;
    enum cn_err err;

    CN_TRY(may_save(path, passphrase, diag));
    CN_TRY(work_new(&work));
    if (passphrase) {
        put_head(work, HEAD_LOCKED, key);
        CN_TRY_OUT(err, put_locked(work, passphrase, cost, path, diag));
    } else {
        put_head(work, HEAD_PLAIN, key);
        put_hex(work, "seed", work->seed, sizeof work->seed);
    }
    check_of(check, work, work->len);
    work->len += (size_t)snprintf(work->text + work->len, sizeof work->text - work->len,
                                  "check %s\n", check);
    err = cn_file_write(path, work->text, work->len, 0600, diag);
out:
    sodium_free(work);
    return err;
}

enum cn_err keyfile_save(const char *path, const struct sign_key *key, const char *passphrase,
                         struct cn_diag *diag)
{
    static const struct keyfile_cost cost = {crypto_pwhash_argon2id_OPSLIMIT_MODERATE,
                                             crypto_pwhash_argon2id_MEMLIMIT_MODERATE};

    return keyfile_save_at(path, key, passphrase, &cost, diag);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static enum cn_err no_key_file(const char *path, struct cn_diag *diag)
{
    cn_diag_set(diag, path, 0, 0, "is no key file: the first line of one begins with \"" HEAD "\"");
    return CN_E_DATA;
}

static enum cn_err incomplete(const char *path, struct cn_diag *diag)
{
    cn_diag_set(diag, path, 0, 0, "the key file is incomplete: its end is missing");
    cn_diag_hint(diag, "restore it from a backup");
    return CN_E_DATA;
}

static enum cn_err damaged(const char *path, struct cn_diag *diag)
{
    cn_diag_set(diag, path, 0, 0, "the key file is damaged: its content does not fit its check");
    cn_diag_hint(diag, "restore it from a backup");
    return CN_E_DATA;
}

static enum cn_err system_failed(const char *path, const char *what, struct cn_diag *diag)
{
    int number = errno;

    cn_diag_set(diag, path, 0, 0, "%s: %s", what, strerror(number));
    return cn_err_from_errno(number);
}

/* Looks at the open file, not at its name, so that nothing can change in between. */
static enum cn_err may_load(int fd, const char *path, struct cn_diag *diag)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return system_failed(path, "can not be read", diag);
    if (!S_ISREG(status.st_mode))
        return no_key_file(path, diag);
    if (status.st_mode & (S_IRWXG | S_IRWXO)) {
        cn_diag_set(diag, path, 0, 0, "others than its owner may use this secret key (mode %04o)",
                    (unsigned)status.st_mode & 07777);
        cn_diag_hint(diag, "chmod 600 %s", path);
        return CN_E_CONFIG;
    }
    return CN_OK;
}

static enum cn_err read_text(struct work *work, int fd, const char *path, struct cn_diag *diag)
{
    while (work->len < TEXT_MAX) {
        ssize_t got = read(fd, work->text + work->len, TEXT_MAX - work->len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return system_failed(path, "can not be read", diag);
        if (got == 0)
            break;
        work->len += (size_t)got;
    }
    work->text[work->len] = '\0';
    return CN_OK;
}

/* Does not wait for a pipe's other end. */
static enum cn_err open_text(int *fd, const char *path, struct cn_diag *diag)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return *fd >= 0 ? CN_OK : system_failed(path, "can not be opened", diag);
}

/* Reads the first line. Foreign files, cut ones and ones from the future are told apart. */
static enum cn_err read_head(struct work *work, bool *locked, const char *path,
                             struct cn_diag *diag)
{
    size_t common = work->len < strlen(HEAD) ? work->len : strlen(HEAD);
    char *newline = memchr(work->text, '\n', work->len);
    size_t len;

    if (work->len == 0) {
        cn_diag_set(diag, path, 0, 0, "is empty");
        return CN_E_DATA;
    }
    if (memcmp(work->text, HEAD, common) != 0 || work->len == TEXT_MAX)
        return no_key_file(path, diag);
    if (!newline)
        return incomplete(path, diag);
    len = (size_t)(newline - work->text);
    work->at = len + 1;
    *locked = len == strlen(HEAD_LOCKED) && memcmp(work->text, HEAD_LOCKED, len) == 0;
    if (*locked || (len == strlen(HEAD_PLAIN) && memcmp(work->text, HEAD_PLAIN, len) == 0))
        return CN_OK;
    cn_diag_set(diag, path, 1, 0, "this Cairn does not know this kind of key file");
    cn_diag_hint(diag, "it may come from a newer version");
    return CN_E_DATA;
}

/* Verifies the last line, and cuts it off. */
static enum cn_err read_check(struct work *work, const char *path, struct cn_diag *diag)
{
    static const char name[] = "check ";
    size_t line_len = sizeof name - 1 + 2 * CHECK_BYTES + 1;
    char check[2 * CHECK_BYTES + 1];
    const char *line;

    if (work->len < work->at + line_len || work->text[work->len - 1] != '\n')
        return incomplete(path, diag);
    line = work->text + work->len - line_len;
    if (line[-1] != '\n' || memcmp(line, name, sizeof name - 1) != 0)
        return incomplete(path, diag);
    check_of(check, work, work->len - line_len);
    if (memcmp(line + sizeof name - 1, check, 2 * CHECK_BYTES) != 0)
        return damaged(path, diag);
    work->len -= line_len;
    work->text[work->len] = '\0';
    return CN_OK;
}

/* Reads the line "NAME <hex>" of exactly len bytes, in the one form that put_hex writes. */
static bool read_hex(struct work *work, const char *name, uint8_t *out, size_t len)
{
    size_t name_len = strlen(name), line_len = name_len + 1 + 2 * len + 1;
    const char *line = work->text + work->at;
    size_t got;

    if (work->len - work->at < line_len || memcmp(line, name, name_len) != 0 ||
        line[name_len] != ' ' || line[line_len - 1] != '\n')
        return false;
    line += name_len + 1;
    if (sodium_hex2bin(out, len, line, 2 * len, NULL, &got, NULL) != 0 || got != len)
        return false;
    sodium_bin2hex(work->hex, sizeof work->hex, out, len);
    work->at += line_len;
    return sodium_memcmp(work->hex, line, 2 * len) == 0;
}

/* Reads the line "cost <passes> <bytes>", in the one form that is written. */
static bool read_cost(struct work *work, struct keyfile_cost *cost)
{
    char again[64];
    const char *line = work->text + work->at;
    int len;

    if (sscanf(line, "cost %20" SCNu64 " %20" SCNu64, &cost->passes, &cost->memory_bytes) != 2)
        return false;
    len = snprintf(again, sizeof again, "cost %" PRIu64 " %" PRIu64 "\n", cost->passes,
                   cost->memory_bytes);
    if (strncmp(line, again, (size_t)len) != 0)
        return false;
    work->at += (size_t)len;
    return true;
}

static enum cn_err bound_cost(const struct keyfile_cost *cost, const char *path,
                              struct cn_diag *diag)
{
    if (cost->passes >= 1 && cost->passes <= KEYFILE_PASSES_MAX &&
        cost->memory_bytes >= KEYFILE_MEMORY_MIN && cost->memory_bytes <= KEYFILE_MEMORY_MAX)
        return CN_OK;
    cn_diag_set(diag, path, 3, 0,
                "the passphrase would cost %" PRIu64 " passes over %" PRIu64
                " bytes, allowed are 1 to %d passes over 8 KiB to 1 GiB",
                cost->passes, cost->memory_bytes, KEYFILE_PASSES_MAX);
    cn_diag_hint(diag, "this file was not written by Cairn; restore yours from a backup");
    return CN_E_DATA;
}

static enum cn_err unlock(struct work *work, const char *passphrase, const char *path,
                          struct cn_diag *diag)
{
    struct seal_binding binding;
    uint8_t box[BOX_BYTES];
    struct lock lock;

    if (!read_cost(work, &lock.cost) || !read_hex(work, "salt", lock.salt, sizeof lock.salt))
        return damaged(path, diag);
    CN_TRY(bound_cost(&lock.cost, path, diag));
    binding = binding_of(work, work->at);
    if (!read_hex(work, "box", box, sizeof box))
        return damaged(path, diag);
    if (!passphrase) {
        cn_diag_set(diag, path, 0, 0, "the key is locked with a passphrase, and none was given");
        return CN_E_CONFIG;
    }
    CN_TRY(stretch(work, passphrase, &lock, path, diag));
    if (seal_open(work->seed, box, sizeof box, &binding, work->key) == CN_OK)
        return CN_OK;
    cn_diag_set(diag, path, 0, 0, "the passphrase is wrong");
    return CN_E_AUTH;
}

static enum cn_err read_key(struct sign_key **key, struct work *work, const char *passphrase,
                            const char *path, struct cn_diag *diag)
{
    uint8_t said[SIGN_PUBLIC_BYTES], is[SIGN_PUBLIC_BYTES];
    bool locked;

    CN_TRY(read_head(work, &locked, path, diag));
    CN_TRY(read_check(work, path, diag));
    if (!read_hex(work, "public", said, sizeof said))
        return damaged(path, diag);
    if (locked)
        CN_TRY(unlock(work, passphrase, path, diag));
    else if (!read_hex(work, "seed", work->seed, sizeof work->seed))
        return damaged(path, diag);
    if (work->at != work->len)
        return damaged(path, diag);
    CN_TRY(sign_key_from_seed(key, work->seed));
    sign_key_public(*key, is);
    if (memcmp(is, said, sizeof is) == 0)
        return CN_OK;
    sign_key_free(*key);
    *key = NULL;
    return damaged(path, diag);
}

enum cn_err keyfile_load(struct sign_key **key, const char *path, const char *passphrase,
                         struct cn_diag *diag)
{
    struct work *work;
    enum cn_err err;
    int fd;

    *key = NULL;
    CN_TRY(open_text(&fd, path, diag));
    err = work_new(&work);
    if (err == CN_OK)
        err = may_load(fd, path, diag);
    if (err == CN_OK)
        err = read_text(work, fd, path, diag);
    close(fd);
    if (err == CN_OK)
        err = read_key(key, work, passphrase, path, diag);
    sodium_free(work);
    return err;
}

enum cn_err keyfile_is_locked(const char *path, bool *locked)
{
    struct work *work;
    enum cn_err err;
    int fd;

    CN_TRY(open_text(&fd, path, NULL));
    err = work_new(&work);
    if (err == CN_OK)
        err = read_text(work, fd, path, NULL);
    close(fd);
    if (err == CN_OK)
        err = read_head(work, locked, path, NULL);
    sodium_free(work);
    return err;
}
