/* Implements stage_reports.h. */
#include "rpc-gateway/stage_reports.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/inapi/convert.h"
#include "lib/schema/object.h"

struct stage_report {
    char *instance;
    int64_t replica_id;
    struct app_stage **stages; /* the present stages */
    size_t n_stages;
    uint64_t changed;  /* number of changes */
    uint64_t taken;    /* value of 'changed' in the report in progress */
    uint64_t accepted; /* value of 'changed' that the leader has accepted; 0: none */
};

static void free_stages(struct app_stage **stages, size_t n)
{
    for (size_t i = 0; i < n; i++)
        schema_free(&app_stage_schema, stages[i]);
    free(stages);
}

static void report_done(struct stage_report *s)
{
    free(s->instance);
    free_stages(s->stages, s->n_stages);
}

static struct stage_report *find(struct stage_reports *r, const char *instance, int64_t replica_id)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].replica_id == replica_id && streq(r->items[i].instance, instance))
            return &r->items[i];
    return NULL;
}

static bool same_stages(const struct stage_report *s, struct app_stage *const *stages, size_t n)
{
    bool same = s->n_stages == n;
    for (size_t i = 0; same && i < n; i++)
        same = schema_equal(&app_stage_schema, s->stages[i], stages[i]);
    return same;
}

static void put_replica(struct stage_reports *r, const char *instance, int64_t replica_id,
                        struct app_stage *const *stages, size_t n)
{
    struct stage_report *s = find(r, instance, replica_id);
    if (s ? same_stages(s, stages, n) : n == 0)
        return; /* an empty list that was never reported needs no report */
    if (!s) {
        r->items = xrealloc(r->items, r->n + 1, sizeof *r->items);
        s = &r->items[r->n++];
        *s = (struct stage_report){.instance = xstrdup(instance), .replica_id = replica_id};
    }
    free_stages(s->stages, s->n_stages);
    s->stages = NULL;
    s->n_stages = 0;
    for (size_t i = 0; i < n; i++)
        schema_copy(&app_stage_schema, stages[i],
                    schema_append(&s->stages, &s->n_stages, sizeof **s->stages));
    s->changed++;
}

static bool mentions(const struct reconciler_instance *instance, int64_t replica_id)
{
    for (size_t i = 0; instance && i < instance->n_replicas; i++)
        if (instance->replicas[i]->id == replica_id)
            return true;
    for (size_t i = 0; instance && i < instance->n_clash; i++)
        if (instance->clash[i]->replica_id == replica_id)
            return true;
    return false;
}

/* Drops reports of replicas that no longer exist; the leader has removed them, too. */
static void drop_gone(struct stage_reports *r, const char *name, const struct reconciler_instance *now)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (streq(r->items[i].instance, name) && !mentions(now, r->items[i].replica_id))
            report_done(&r->items[i]);
        else
            r->items[kept++] = r->items[i];
    }
    r->n = kept;
}

void stage_reports_put(struct stage_reports *r, const struct reconciler_instance *before,
                       const struct reconciler_instance *now)
{
    drop_gone(r, now ? now->name : before->name, now);
    if (!now)
        return;
    /* Of a local instance the zone only receives the clash of names. */
    for (size_t i = 0; streq(now->origin, "zone") && i < now->n_replicas; i++)
        put_replica(r, now->name, now->replicas[i]->id, now->replicas[i]->stages, now->replicas[i]->n_stages);
    for (size_t i = 0; i < now->n_clash; i++)
        put_replica(r, now->name, now->clash[i]->replica_id, now->clash[i]->stages, now->clash[i]->n_stages);
}

void stage_reports_done(struct stage_reports *r)
{
    for (size_t i = 0; i < r->n; i++)
        report_done(&r->items[i]);
    free(r->items);
    *r = (struct stage_reports){.n = 0};
}

void stage_reports_renew(struct stage_reports *r)
{
    for (size_t i = 0; i < r->n; i++)
        r->items[i].accepted = 0;
}

static Inapi__HostReplicaStageReport *make_report(const struct stage_report *s)
{
    Inapi__HostReplicaStageReport *report = xcalloc(1, sizeof *report);
    inapi__host_replica_stage_report__init(report);
    report->instance_name = xstrdup(s->instance);
    report->replica_id = (uint32_t)s->replica_id;
    report->stages = xcalloc(s->n_stages + 1, sizeof *report->stages);
    for (size_t i = 0; i < s->n_stages; i++)
        report->stages[report->n_stages++] = (Inapi__AppDeployStage *)inapi_from_struct(
            &app_stage_schema, &inapi__app_deploy_stage__descriptor, s->stages[i]);
    return report;
}

size_t stage_reports_due(const struct stage_reports *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += r->items[i].changed != r->items[i].accepted;
    return n;
}

Inapi__HostReplicaStageReport **stage_reports_take(struct stage_reports *r, size_t bytes_max, size_t *ret_n)
{
    Inapi__HostReplicaStageReport **reports = xcalloc(r->n + 1, sizeof *reports);
    size_t n = 0, bytes = 0, first = r->first;
    bool full = false;
    for (size_t i = 0; i < r->n; i++) {
        size_t at = (first + i) % r->n;
        struct stage_report *s = &r->items[at];
        s->taken = 0; /* not in this report */
        if (s->changed == s->accepted)
            continue;
        if (n > 0 && bytes >= bytes_max) {
            r->first = full ? r->first : at;
            full = true;
            continue;
        }
        s->taken = s->changed;
        reports[n] = make_report(s);
        bytes += inapi__host_replica_stage_report__get_packed_size(reports[n++]);
    }
    *ret_n = n;
    return reports;
}

void stage_reports_accepted(struct stage_reports *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].taken > 0)
            r->items[i].accepted = r->items[i].taken;
}

void stage_reports_free(Inapi__HostReplicaStageReport **reports, size_t n)
{
    for (size_t i = 0; i < n; i++)
        protobuf_c_message_free_unpacked(&reports[i]->base, NULL);
    free(reports);
}
