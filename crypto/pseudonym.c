/* SPDX-License-Identifier: Apache-2.0 */
/* Keyed BLAKE2b, and its key as a file. */
#include "crypto/pseudonym.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define HEAD "cairn-pseudonym-key 1\n"
#define HEAD_BYTES (sizeof HEAD - 1)
#define HEX_BYTES ((size_t)2 * PSEUDONYM_KEY_BYTES)
#define TEXT_BYTES (HEAD_BYTES + HEX_BYTES + 1)

/* Key and text share one block of locked memory. */
struct work {
    struct pseudonym_key key;
    char text[TEXT_BYTES + 1]; /* one more, to tell a longer file */
    char again[HEX_BYTES + 1];
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

static enum cn_err refuse_errno(const char *path, const char *what, struct cn_diag *diag)
{
    int number = errno;

    cn_diag_set(diag, path, 0, 0, "%s: %s", what, strerror(number));
    if (number == ENOENT)
        cn_diag_hint(diag, "make a key with `cairn data key FILE`");
    if (number == EEXIST)
        cn_diag_hint(diag, "another key would break what the old one joins; name a new file");
    return cn_err_from_errno(number);
}

static enum cn_err write_new(const char *path, const char *text, struct cn_diag *diag)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum cn_err err;

    if (fd < 0)
        return refuse_errno(path, "can not be made", diag);
    err = cn_file_write_all(fd, text, TEXT_BYTES);
    if (err == CN_OK && fsync(fd) != 0)
        err = CN_E_IO;
    close(fd);
    if (err != CN_OK) {
        (void)unlink(path);
        cn_diag_set(diag, path, 0, 0, "can not be written");
    }
    return err;
}

enum cn_err pseudonym_key_make(const char *path, struct cn_diag *diag)
{
    struct work *work;
    enum cn_err err;

    CN_TRY(work_new(&work));
    randombytes_buf(work->key.bytes, sizeof work->key.bytes);
    memcpy(work->text, HEAD, HEAD_BYTES);
    sodium_bin2hex(work->text + HEAD_BYTES, HEX_BYTES + 1, work->key.bytes, PSEUDONYM_KEY_BYTES);
    work->text[TEXT_BYTES - 1] = '\n';
    err = write_new(path, work->text, diag);
    sodium_free(work);
    return err;
}

/* Opens the file if only its owner can read and write it. */
static enum cn_err open_private(int *fd, const char *path, struct cn_diag *diag)
{
    struct stat info;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return refuse_errno(path, "can not be opened", diag);
    if (fstat(*fd, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 077) == 0)
        return CN_OK;
    close(*fd);
    cn_diag_set(diag, path, 0, 0, "others than its owner may read or write the key");
    cn_diag_hint(diag, "chmod 600 the file; if somebody may have read it, make a new key");
    return CN_E_CONFIG;
}

static enum cn_err decode(struct work *work, size_t len, const char *path, struct cn_diag *diag)
{
    size_t got = 0;

    if (len == TEXT_BYTES && memcmp(work->text, HEAD, HEAD_BYTES) == 0 &&
        work->text[TEXT_BYTES - 1] == '\n' &&
        sodium_hex2bin(work->key.bytes, PSEUDONYM_KEY_BYTES, work->text + HEAD_BYTES, HEX_BYTES,
                       NULL, &got, NULL) == 0 &&
        got == PSEUDONYM_KEY_BYTES) {
        sodium_bin2hex(work->again, sizeof work->again, work->key.bytes, PSEUDONYM_KEY_BYTES);
        if (sodium_memcmp(work->again, work->text + HEAD_BYTES, HEX_BYTES) == 0)
            return CN_OK;
    }
    cn_diag_set(diag, path, 0, 0, "is no key for pseudonyms");
    cn_diag_hint(diag, "make one with `cairn data key FILE`");
    return CN_E_DATA;
}

static enum cn_err read_all(size_t *len, char *out, size_t max, int fd)
{
    *len = 0;
    while (*len < max) {
        ssize_t got = read(fd, out + *len, max - *len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return CN_E_IO;
        if (got == 0)
            break;
        *len += (size_t)got;
    }
    return CN_OK;
}

enum cn_err pseudonym_key_load(struct pseudonym_key **key, const char *path, struct cn_diag *diag)
{
    struct work *work;
    size_t len = 0;
    enum cn_err err;
    int fd;

    *key = NULL;
    CN_TRY(work_new(&work));
    err = open_private(&fd, path, diag);
    if (err == CN_OK) {
        err = read_all(&len, work->text, sizeof work->text, fd);
        close(fd);
    }
    if (err == CN_OK)
        err = decode(work, len, path, diag);
    if (err == CN_OK) {
        *key = sodium_malloc(sizeof **key);
        err = *key ? CN_OK : CN_E_NOMEM;
    }
    if (err == CN_OK)
        **key = work->key;
    sodium_free(work);
    return err;
}

void pseudonym_key_free(struct pseudonym_key *key)
{
    sodium_free(key);
}

void pseudonym_of(uint8_t out[PSEUDONYM_BYTES], const struct pseudonym_key *key, const char *domain,
                  const void *value, size_t len)
{
    crypto_generichash_state state;
    size_t domain_len = strlen(domain);
    uint8_t head = (uint8_t)domain_len;

    CN_ASSERT(domain_len <= PSEUDONYM_DOMAIN_MAX);
    (void)crypto_generichash_init(&state, key->bytes, sizeof key->bytes, PSEUDONYM_BYTES);
    (void)crypto_generichash_update(&state, &head, 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)domain, domain_len);
    (void)crypto_generichash_update(&state, value, len);
    (void)crypto_generichash_final(&state, out, PSEUDONYM_BYTES);
    sodium_memzero(&state, sizeof state);
}
