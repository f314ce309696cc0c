/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger says was spent: by task, by device, by month, and as a curve over time. Memory does
 * not grow with the ledger. */
#ifndef CAIRN_CLI_AUDIT_REPORT_H
#define CAIRN_CLI_AUDIT_REPORT_H

#include "base/options.h"
#include "privacy/ledger_total.h"

#define AUDIT_MONTHS_MAX 600u
#define AUDIT_DEVICES_MAX 4096u
#define AUDIT_CURVE_MAX 256u
#define AUDIT_DELTA_FALLBACK 1e-5

struct audit_month {
    int32_t month; /* since January of year 0 */
    struct ledger_total_task spent;
};

/* Of a device that countersigned rounds in an aggregator's ledger. */
struct audit_device {
    uint8_t id[LEDGER_DEVICE_BYTES];
    struct ledger_total_task spent;
};

/* A running total, thinned so that it always fits: every stride-th spending. */
struct audit_curve {
    double time_s[AUDIT_CURVE_MAX], epsilon[AUDIT_CURVE_MAX];
    size_t count;
    uint64_t stride, seen;
};

struct audit_report {
    const char *path;
    struct ledger_summary summary;
    struct ledger_total total;
    struct audit_month *months; /* [month_count] in order of appearance */
    uint32_t month_count;
    struct audit_device *devices; /* [device_count] in order of appearance */
    uint32_t device_count;
    uint64_t device_lines_omitted; /* participations past AUDIT_DEVICES_MAX devices */
    struct audit_curve curve;
};

/* Reads, verifies and adds up. CN_E_TOO_LARGE past AUDIT_MONTHS_MAX months; as ledger_read. On
 * failure the report is empty; on success clear it. */
enum cn_err audit_report_read(struct audit_report *report, const char *path, struct cn_diag *diag);
void audit_report_clear(struct audit_report *report);

/* "2026-11"; out at least 16 bytes. Returns out. */
const char *audit_month_text(char out[16], int32_t month);

/* The epsilon of a sum at its own delta, or at AUDIT_DELTA_FALLBACK; infinite if it has none. */
double audit_epsilon_of(const struct ledger_total_task *spent, double *delta);

/* Writes all reports as one HTML file with charts that needs nothing else. CN_E_IO, ... */
enum cn_err audit_html_write(const char *path, const struct audit_report *reports, size_t count,
                             struct cn_diag *diag);

int audit_report(const struct cn_args *args);

#endif
