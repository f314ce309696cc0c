/* SPDX-License-Identifier: Apache-2.0 */
/* The errors of Cairn: one row each, with the class that says what a caller does about it.
 *
 * PEER   the other side is wrong or hostile: drop this peer, the rest goes on
 * ROUND  the round can not succeed: abandon it with this reason, the next one starts
 * LOCAL  this machine, its files or its operator's input: tell the operator and stop
 *
 * Bugs are not errors: CN_ASSERT aborts, in release too, and no peer may be able to reach one. */
#ifndef CAIRN_BASE_ERR_H
#define CAIRN_BASE_ERR_H

#include <stddef.h>

/* clang-format off */
#define CN_ERRORS(X) \
    X(NOMEM,        LOCAL, "out of memory") \
    X(IO,           LOCAL, "reading or writing failed") \
    X(NOSPACE,      LOCAL, "no space left on the disk") \
    X(NOT_FOUND,    LOCAL, "not found") \
    X(EXISTS,       LOCAL, "exists already") \
    X(BUSY,         LOCAL, "in use by another process") \
    X(CONFIG,       LOCAL, "the configuration is not valid") \
    X(DATA,         LOCAL, "the data is not valid") \
    X(SHAPE,        LOCAL, "the shapes do not fit") \
    X(STATE,        LOCAL, "not possible in this state") \
    X(RANDOM,       LOCAL, "the system gave no randomness") \
    X(CRYPTO,       LOCAL, "a cryptographic operation failed") \
    X(TAMPERED,     LOCAL, "the ledger does not verify") \
    X(DENIED,       LOCAL, "refused by the owner's limits") \
    X(BUDGET,       LOCAL, "the privacy budget does not allow it") \
    X(DIVERGED,     ROUND, "the values are not finite") \
    X(DEADLINE,     ROUND, "the deadline passed") \
    X(COHORT,       ROUND, "too few devices") \
    X(THRESHOLD,    ROUND, "fewer survivors than the threshold") \
    X(INCONSISTENT, ROUND, "the claims about the round contradict each other") \
    X(PARSE,        PEER,  "the bytes are malformed") \
    X(TOO_LARGE,    PEER,  "larger than allowed") \
    X(UNEXPECTED,   PEER,  "the message is out of turn") \
    X(REPLAY,       PEER,  "the message was seen before") \
    X(VERSION,      PEER,  "no protocol version in common") \
    X(AUTH,         PEER,  "the proof of identity does not verify") \
    X(EXPIRED,      PEER,  "expired") \
    X(USED,         PEER,  "used already") \
    X(REVOKED,      PEER,  "revoked") \
    X(CLOSED,       PEER,  "the connection is closed") \
    X(TLS,          PEER,  "the TLS connection failed")
/* clang-format on */

/* The attribute makes the compiler refuse a caller that drops the result. */
#if defined(__clang__)
#define CN_MUST_CHECK __attribute__((warn_unused_result))
#else
#define CN_MUST_CHECK [[nodiscard]]
#endif

enum CN_MUST_CHECK cn_err {
    CN_OK = 0,
#define X(name, class, text) CN_E_##name,
    CN_ERRORS(X)
#undef X
        CN_ERR_COUNT
};

enum cn_err_class { CN_CLASS_NONE = 0, CN_CLASS_PEER, CN_CLASS_ROUND, CN_CLASS_LOCAL };

/* Names the error as in the source ("COHORT"); "OK" for CN_OK. Never NULL. */
const char *cn_err_name(enum cn_err err);

/* Says the error in words for a person. Never NULL, no full stop. */
const char *cn_err_text(enum cn_err err);

/* Says what the caller does about it. CN_CLASS_NONE for CN_OK only. */
enum cn_err_class cn_err_class(enum cn_err err);

/* Translates errno: ENOSPC and EDQUOT, ENOENT, EEXIST, ENOMEM and EMFILE have errors of their own,
 * everything else is CN_E_IO. */
enum cn_err cn_err_from_errno(int number);

/* Returns from the calling function, which owns nothing yet, when expr fails. */
#define CN_TRY(expr)                                                                               \
    do {                                                                                           \
        enum cn_err cn_try_err_ = (expr);                                                          \
        if (cn_try_err_ != CN_OK)                                                                  \
            return cn_try_err_;                                                                    \
    } while (0)

/* Jumps to the calling function's one label, out:, with err set, when expr fails. */
#define CN_TRY_OUT(err, expr)                                                                      \
    do {                                                                                           \
        (err) = (expr);                                                                            \
        if ((err) != CN_OK)                                                                        \
            goto out;                                                                              \
    } while (0)

/* Says on purpose that a failure changes nothing for the caller. */
#define CN_IGNORE(expr)                                                                            \
    do {                                                                                           \
        enum cn_err cn_ignored_ = (expr);                                                          \
        (void)cn_ignored_;                                                                         \
    } while (0)

#define CN_ASSERT(cond) ((cond) ? (void)0 : cn_assert_failed(#cond, __FILE__, __LINE__))

/* Prints the broken assumption on standard error and aborts. */
__attribute__((noreturn, cold)) void cn_assert_failed(const char *cond, const char *file, int line);

#define CN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
