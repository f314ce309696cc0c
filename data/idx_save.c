/* SPDX-License-Identifier: Apache-2.0 */
/* IDX files, written. */
#include <stdbool.h>
#include <string.h>
#define ZLIB_CONST /* zlib then borrows its input as const */
#include <zlib.h>

#include "base/cursor.h"
#include "base/file.h"
#include "data/idx.h"

#define IDX_TYPE_BYTE 0x08
#define IDX_FILE_MODE 0644
#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for a gzip header, here without a time in it */
#define GZIP_LEVEL 6
#define GZIP_OUT_BYTES ((size_t)64 * 1024)

static bool wants_gzip(const char *path)
{
    size_t len = strlen(path);

    return len > 3 && strcmp(path + len - 3, ".gz") == 0;
}

/* Feeds len bytes; flush is Z_FINISH with the last of them. */
static enum cn_err pack_more(z_stream *z, struct cn_buf *out, const uint8_t *bytes, size_t len,
                             int flush)
{
    static const size_t step_max = (size_t)1 << 30; /* avail_in is an unsigned int */
    size_t done = 0;
    int code;

    do {
        size_t step = len - done < step_max ? len - done : step_max;

        z->next_in = bytes + done;
        z->avail_in = (unsigned)step;
        done += step;
        do {
            uint8_t *to = cn_buf_extend(out, GZIP_OUT_BYTES);

            if (!to)
                return cn_buf_finish(out);
            z->next_out = to;
            z->avail_out = GZIP_OUT_BYTES;
            code = deflate(z, done == len ? flush : Z_NO_FLUSH);
            out->len -= z->avail_out;
            CN_ASSERT(code != Z_STREAM_ERROR);
        } while (z->avail_out == 0);
    } while (done < len);
    return CN_OK;
}

static enum cn_err pack(struct cn_buf *out, const struct cn_buf *head, const uint8_t *bytes,
                        size_t len)
{
    z_stream z = {0};
    enum cn_err err;

    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return CN_E_NOMEM;
    err = pack_more(&z, out, head->data, head->len, Z_NO_FLUSH);
    if (err == CN_OK)
        err = pack_more(&z, out, bytes, len, Z_FINISH);
    (void)deflateEnd(&z);
    return err;
}

enum cn_err idx_save(const char *path, const struct idx *idx, struct cn_diag *diag)
{
    size_t len = idx_item_bytes(idx) * idx->dims[0];
    struct cn_buf head, out;
    enum cn_err err;

    cn_buf_init(&head, 64);
    cn_buf_init(&out, len + len / 1000 + 2 * GZIP_OUT_BYTES);
    cn_put_u16(&head, 0);
    cn_put_u8(&head, IDX_TYPE_BYTE);
    cn_put_u8(&head, (uint8_t)idx->dim_count);
    for (uint32_t i = 0; i < idx->dim_count; i++)
        cn_put_u32(&head, idx->dims[i]);
    CN_TRY_OUT(err, cn_buf_finish(&head));
    if (wants_gzip(path)) {
        CN_TRY_OUT(err, pack(&out, &head, idx->bytes, len));
    } else {
        cn_put_bytes(&out, head.data, head.len);
        cn_put_bytes(&out, idx->bytes, len);
        CN_TRY_OUT(err, cn_buf_finish(&out));
    }
    err = cn_file_write(path, out.data, out.len, IDX_FILE_MODE, diag);
out:
    cn_buf_clear(&head);
    cn_buf_clear(&out);
    return err;
}
