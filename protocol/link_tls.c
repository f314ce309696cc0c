/* SPDX-License-Identifier: Apache-2.0 */
/* One side's keys and the memory its links share. */
#include <signal.h>
#include <stdlib.h>

#include "protocol/link_internal.h"

/* A peer that goes away while bytes are written must not end the process: libuv writes without
 * MSG_NOSIGNAL. A handler that the program set itself stays. */
static void ignore_broken_pipes(void)
{
    struct sigaction now;

    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
        now.sa_handler = SIG_IGN;
        (void)sigaction(SIGPIPE, &now, NULL);
    }
}

static enum cn_err share_new(struct link_tls **out, struct tls_context *context)
{
    struct link_tls *tls = calloc(1, sizeof *tls);

    *out = NULL;
    ignore_broken_pipes();
    if (tls) {
        tls->context = context;
        tls->users = 1;
        tls->received = malloc(LINK_RECEIVE_BYTES);
        tls->plain = malloc(LINK_RECEIVE_BYTES);
        cn_buf_init(&tls->frame, FRAME_HEAD_BYTES + MESSAGE_BYTES_MAX);
        cn_arena_init(&tls->arena, LINK_ARENA_BYTES_MAX);
        if (tls->received && tls->plain) {
            *out = tls;
            return CN_OK;
        }
        tls->context = NULL;
        link_tls_free(tls);
    }
    tls_context_free(context);
    return CN_E_NOMEM;
}

enum cn_err link_tls_server(struct link_tls **out, const char *certificate_path,
                            const char *key_path, struct cn_diag *diag)
{
    struct tls_context *context;

    *out = NULL;
    CN_TRY(tls_context_server(&context, certificate_path, key_path, diag));
    return share_new(out, context);
}

enum cn_err link_tls_client(struct link_tls **out, const uint8_t pin[LINK_PIN_BYTES],
                            struct cn_diag *diag)
{
    struct tls_context *context;

    *out = NULL;
    CN_TRY(tls_context_client(&context, pin, diag));
    return share_new(out, context);
}

struct link_tls *link_tls_share(struct link_tls *tls)
{
    tls->users++;
    return tls;
}

void link_tls_free(struct link_tls *tls)
{
    if (!tls || --tls->users > 0)
        return;
    tls_context_free(tls->context);
    free(tls->received);
    free(tls->plain);
    cn_buf_clear(&tls->frame);
    cn_arena_clear(&tls->arena);
    free(tls);
}

void link_tls_pin(const struct link_tls *tls, uint8_t pin[LINK_PIN_BYTES])
{
    tls_context_pin(tls->context, pin);
}

enum cn_err link_tls_generate(const char *certificate_path, const char *key_path,
                              const char *common_name, struct cn_diag *diag)
{
    return tls_generate(certificate_path, key_path, common_name, diag);
}
