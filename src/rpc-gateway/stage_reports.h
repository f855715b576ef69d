/* Collects the stages that are reported to the zone: the complete list of each replica of the zone's
 * instances, when it differs from what the leader last accepted. A change while a report is in progress is
 * in the next report. */
#pragma once

#include "lib/api/reconciler.h"
#include "lib/inapi/zone.pb-c.h"

struct stage_report;

struct stage_reports {
    struct stage_report *items;
    size_t n;
    size_t first; /* where the next report begins, so that replicas that change all the time wait, too */
};

/* Stores an instance's present stages ('now' NULL: it no longer exists). */
void stage_reports_put(struct stage_reports *r, const struct reconciler_instance *before,
                       const struct reconciler_instance *now);
void stage_reports_done(struct stage_reports *r);

/* Makes every report due again: another leader can have none of them. */
void stage_reports_renew(struct stage_reports *r);

/* Returns the number of replicas with a due report. */
size_t stage_reports_due(const struct stage_reports *r);

/* Returns the due reports, limited to about 'bytes_max' bytes; the next call begins with the rest. The caller
 * frees them with stage_reports_free(). They count as reported if stage_reports_accepted() is called
 * before the next stage_reports_take(). */
Inapi__HostReplicaStageReport **stage_reports_take(struct stage_reports *r, size_t bytes_max, size_t *ret_n);
void stage_reports_accepted(struct stage_reports *r);
void stage_reports_free(Inapi__HostReplicaStageReport **reports, size_t n);
