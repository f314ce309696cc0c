/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar, an invitation and a folder to join into, for the tests of the client. */
#ifndef CAIRN_TESTS_CLIENT_FIXTURE_H
#define CAIRN_TESTS_CLIENT_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "client/home.h"
#include "crypto/random.h"

#define MUST(expr)                                                                                 \
    do {                                                                                           \
        enum cn_err must_err_ = (expr);                                                            \
        cr_assert(must_err_ == CN_OK, "%s: %s", #expr, cn_err_text(must_err_));                    \
    } while (0)

struct fixture {
    char dir[CN_PATH_MAX];
    char base[CN_PATH_MAX];
    struct cn_random random;
    struct sign_key *registrar;
    struct join_link link;
    struct cn_clock_manual time;
    struct cn_clock clock;
};

static inline void fixture_open(struct fixture *f)
{
    struct sign_key *one_time;

    memset(f, 0, sizeof *f);
    snprintf(f->base, sizeof f->base, "/tmp/cairn-client-test-XXXXXX");
    cr_assert_not_null(mkdtemp(f->base));
    snprintf(f->dir, sizeof f->dir, "%.900s/silo", f->base);
    f->time.wall_s = 1800000000;
    f->clock = cn_clock_manual(&f->time);
    MUST(random_system(&f->random));
    MUST(sign_key_new(&f->registrar, &f->random));
    snprintf(f->link.host, sizeof f->link.host, "127.0.0.1");
    f->link.port = 7700;
    MUST(invitation_make(&f->link.invitation, &one_time, f->registrar, 1, 1900000000, &f->random));
    sign_key_seed(one_time, f->link.secret);
    sign_key_free(one_time);
}

static inline enum cn_err fixture_join(struct fixture *f, struct cn_diag *diag)
{
    struct data_source none = {0};
    struct home_plan plan = {f->dir, &f->link, "silo-1", &none, NULL, f->clock};

    return home_make(&plan, diag);
}

static inline void fixture_close(struct fixture *f)
{
    char command[CN_PATH_MAX + 16];

    sign_key_free(f->registrar);
    snprintf(command, sizeof command, "rm -rf '%s'", f->base);
    cr_assert_eq(system(command), 0);
}

/* Replaces one of the folder's files. */
static inline void fixture_write(const struct fixture *f, const char *name, const char *text)
{
    char path[CN_PATH_MAX];

    MUST(cn_path_join(path, f->dir, name));
    MUST(cn_file_write(path, text, strlen(text), 0600, NULL));
}

#endif
