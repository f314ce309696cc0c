/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn audit`: what ledgers say was spent, and whether they may be believed. */
#include "cli/audit_report.h"
#include "cli/audit_verify.h"
#include "cli/verbs.h"

static const struct cn_option report_options[] = {
    {.name = "html",
     .kind = CN_OPTION_TEXT,
     .value = "FILE",
     .help = "also write a page with charts that opens without a network"},
};

static const struct cn_option verify_options[] = {
    {.name = "every-signature",
     .kind = CN_OPTION_FLAG,
     .help = "check each line's signature, not only those that vouch for the others"},
};

const struct cn_verb audit_verbs[] = {
    {.name = "audit diff",
     .arguments = "LEDGER LEDGER",
     .summary = "compare two copies of a ledger, or what two owners spent",
     .details =
         "Two files of one key are compared line by line: the same, one longer, or forked; "
         "exit code 1 unless they are the same. Files of two keys are compared task by task.",
     .example = "cairn audit diff fed/ledger.jsonl backup/ledger.jsonl",
     .run = audit_diff},
    {.name = "audit empirical",
     .arguments = "TASK",
     .summary = "attack a task's training and compare with what is proven",
     .details =
         "Trains once with canaries (Steinke, Nasr, Jagielski 2023) and prints what that proves "
         "about epsilon from below beside the proven upper bound; then trains shadow models and "
         "measures how well members of the data can be told (loss threshold, LiRA). Exit code 1 "
         "when a lower bound is above the proven one: the implementation breaks its promise.",
     .example = "cairn audit empirical configs/tasks/fashion-demo.yaml --svg members.svg\n"
                "cairn audit empirical configs/tasks/fashion-demo.yaml --no-noise --shadows 0",
     .options = audit_empirical_options,
     .option_count = AUDIT_EMPIRICAL_OPTIONS,
     .run = audit_empirical},
    {.name = "audit report",
     .arguments = "LEDGER...",
     .summary = "add up what each ledger's owner has spent, by task, device and month",
     .details = "Every line is verified first; a ledger that does not verify is not added up. "
                "Epsilon is for one example of one device: on an aggregator's ledger, of a device "
                "that took part in every round.",
     .example = "cairn audit report fed/ledger.jsonl silo-1/ledger.jsonl --html report.html",
     .options = report_options,
     .option_count = CN_COUNT(report_options),
     .run = audit_report},
    {.name = "audit verify",
     .arguments = "LEDGER...",
     .summary = "check that ledgers are whole, unchanged and agree with each other",
     .details =
         "Checks every line's form, place and chain, every receipt's and countersignature's "
         "signature, and the signatures that vouch for the chain. Where an aggregator's ledger is "
         "among them, every spending and receipt of a device must stand in one of its rounds, and "
         "every head that a device was shown must be one of its heads. A gap, a swapped line, a "
         "changed line, a truncated tail and a forked copy are each told apart; the last two need "
         "a "
         "second witness: another copy, or the ledger of a device. Exit code 1 names the first bad "
         "line.",
     .example = "cairn audit verify fed/ledger.jsonl silo-*/ledger.jsonl",
     .options = verify_options,
     .option_count = CN_COUNT(verify_options),
     .run = audit_verify},
};
const size_t audit_verb_count = CN_COUNT(audit_verbs);
