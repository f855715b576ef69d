/* The stages that the zone is told: of each replica of its instances the complete list, when it differs from
 * what the leader last accepted. What changes while a report is under way goes with the next. Pure. */
#pragma once

#include "lib/api/reconciler.h"
#include "lib/inapi/zone.pb-c.h"

struct stage_report;

struct stage_reports {
    struct stage_report *items;
    size_t n;
};

/* An instance is so now ('now' NULL: it is gone). */
void stage_reports_put(struct stage_reports *r, const struct reconciler_instance *before,
                       const struct reconciler_instance *now);
void stage_reports_done(struct stage_reports *r);

/* Everything is to be told again: another leader may know nothing of us. */
void stage_reports_renew(struct stage_reports *r);

/* How many replicas are to be told of. */
size_t stage_reports_due(const struct stage_reports *r);

/* The reports that are due, about 'bytes_max' of them at most, the rest next time: each is the caller's, who
 * frees all with stage_reports_free(). They count as told when stage_reports_accepted() is called before the
 * next stage_reports_take(). */
Inapi__HostReplicaStageReport **stage_reports_take(struct stage_reports *r, size_t bytes_max, size_t *ret_n);
void stage_reports_accepted(struct stage_reports *r);
void stage_reports_free(Inapi__HostReplicaStageReport **reports, size_t n);
