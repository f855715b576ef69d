/* Implements apps.h and the commands apps and app. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/apps.h"
#include "ctl/call.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "ctl/tasks.h"
#include "lib/app/host_port.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

#define PORTS_SHOWN 4 /* host ports of one instance in the list of instances */

static const char *state_name(int state)
{
    return schema_enum_name(&replica_state_enum, state);
}

static enum colour state_colour(int state)
{
    switch (state) {
    case REPLICA_RUNNING:
        return GREEN;
    case REPLICA_FAILED:
    case REPLICA_CRASH_LOOPING:
    case REPLICA_CONFLICT:
        return RED;
    case REPLICA_NONE:
    case REPLICA_STOPPED:
    case REPLICA_DESTROYED:
        return PLAIN;
    default:
        return YELLOW;
    }
}

/* Returns one word for an instance: running, paused, stopped, working, failed, or the action. */
static const char *instance_summary(const struct reconciler_instance *i)
{
    if (i->failed)
        return "failed";
    if (!i->settled)
        return "working";
    if (instance_count(i, REPLICA_PAUSED) > 0)
        return "paused";
    return i->action == APP_ACTION_START  ? "running"
           : i->action == APP_ACTION_STOP ? "stopped"
                                          : schema_enum_name(&app_action_enum, i->action);
}

static enum colour instance_colour(const struct reconciler_instance *i)
{
    bool yellow = !i->settled || instance_count(i, REPLICA_PAUSED) > 0;
    return i->failed ? RED : yellow ? YELLOW : i->action == APP_ACTION_START ? GREEN : PLAIN;
}

/* The instance's own message precedes a hold, which precedes the first message of a replica. */
const char *instance_message(const struct reconciler_instance *i)
{
    if (i->problem || i->message)
        return i->problem ?: i->message;
    if (i->hold)
        return i->hold;
    for (size_t j = 0; j < i->n_replicas; j++)
        if (i->replicas[j]->message || i->replicas[j]->limits_problem)
            return i->replicas[j]->message ?: i->replicas[j]->limits_problem;
    return i->unassigned ? "no longer assigned by the zone" : "";
}

static void append_instance(const void *answer, void *userdata)
{
    const struct reconciler_watch_out *out = answer;
    struct instance_list *list = userdata;
    if (!out->instance)
        return;
    schema_copy(&reconciler_instance_schema, out->instance,
                schema_append(&list->items, &list->n_items, sizeof **list->items));
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct reconciler_instance *const *)a)->name,
                  (*(struct reconciler_instance *const *)b)->name);
}

int instance_list_read(const struct ctl *ctl, struct instance_list *ret, struct error *e)
{
    int r = ctl_stream(ctl, &ctl_reconciler, "List", NULL, append_instance, ret, e);
    if (r >= 0 && ret->n_items > 1)
        qsort(ret->items, ret->n_items, sizeof *ret->items, by_name);
    return r;
}

void instance_list_done(struct instance_list *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        schema_free(&reconciler_instance_schema, list->items[i]);
    free(list->items);
}

size_t instance_count(const struct reconciler_instance *i, int state)
{
    size_t n = 0;
    for (size_t j = 0; j < i->n_replicas; j++)
        n += i->replicas[j]->state == state;
    return n;
}

/* Returns the host ports of all replicas, the first PORTS_SHOWN of them. The caller frees it. */
static char *host_ports_of(const struct reconciler_instance *x)
{
    char *text = xstrdup(""), port[HOST_PORT_TEXT_SIZE];
    size_t n = 0;
    for (size_t i = 0; i < x->n_replicas; i++)
        for (size_t k = 0; k < x->replicas[i]->n_ports; k++, n++) {
            struct host_port at = host_port_of(x->replicas[i]->ports[k]);
            if (n > PORTS_SHOWN)
                continue;
            char *longer = n == PORTS_SHOWN
                               ? xasprintf("%s, …", text)
                               : xasprintf("%s%s%s", text, n ? ", " : "", host_port_text(&at, port));
            free(text);
            text = longer;
        }
    return text;
}

int command_apps(struct ctl *ctl)
{
    struct instance_list list = {.n_items = 0};
    struct error e = ERROR_INIT;
    if (instance_list_read(ctl, &list, &e) < 0) {
        instance_list_done(&list);
        return ctl_fail(&e);
    }
    json_t *array = json_array();
    struct table *t =
        table_new("NAME", "STATE", "REPLICAS", "REVISION", "VERSION", "IMAGE", "PORTS", "MESSAGE", NULL);
    for (size_t i = 0; i < list.n_items; i++) {
        const struct reconciler_instance *x = list.items[i];
        table_cell(t, PLAIN, "%s", x->name);
        table_cell(t, instance_colour(x), "%s", instance_summary(x));
        table_cell(t, PLAIN, "%zu/%zu", instance_count(x, REPLICA_RUNNING), x->n_replicas);
        table_cell(t, PLAIN, "%" PRId64, x->revision);
        table_cell(t, PLAIN, "%s", x->version ?: "");
        table_cell(t, PLAIN, "%s", x->image ?: "");
        _cleanup_free_ char *ports = host_ports_of(x);
        table_cell(t, PLAIN, "%s", ports);
        table_cell(t, PLAIN, "%s", instance_message(x));
        json_array_append_new(array, schema_pack(&reconciler_instance_schema, x));
    }
    if (ctl->json)
        print_json(json_incref(array));
    else if (list.n_items == 0)
        puts("no applications");
    json_decref(array);
    table_print(t, ctl->json);
    instance_list_done(&list);
    return EXIT_OK;
}

/* --- one instance --- */

static void print_field(const char *name, const char *value)
{
    _cleanup_free_ char *safe = format_safe(value);
    if (*safe)
        printf("  %-10s %s\n", name, safe);
}

static char *next_try(int64_t next_retry)
{
    if (next_retry == 0)
        return xstrdup("");
    int64_t left = next_retry - now_realtime_msec();
    _cleanup_free_ char *text = format_duration(left);
    return left <= 0 ? xstrdup("now") : xasprintf("in %s", text);
}

/* Returns the limits as text; 'volume' in bytes, below 0: left out. The caller frees it. */
static char *limits_text(const struct reconciler_limits *limits, int64_t volume)
{
    _cleanup_free_ char *cpu = limits->cpu_limit ? xasprintf("%.3g CPU", (double)limits->cpu_limit / 1000)
                                                 : xstrdup("any CPU"),
                        *memory =
                            limits->memory_limit ? format_size(limits->memory_limit) : xstrdup("unlimited"),
                        *disk = volume > 0    ? format_size(volume)
                                : volume == 0 ? xstrdup("unlimited")
                                              : NULL,
                        *pids = limits->pids_limit ? xasprintf("%" PRId64, limits->pids_limit)
                                                   : xstrdup("any number of");
    return xasprintf("%s, memory %s%s%s, %s processes", cpu, memory, disk ? ", volume " : "", disk ?: "",
                     pids);
}

/* Prints the desired limits, and those of replicas that have others. All processors of the machine stand for
 * no limit of CPU. */
static void print_limits(const struct reconciler_instance *i, const struct app_manifest *manifest)
{
    const struct app_deploy *deploy = manifest->app->deploy;
    const struct reconciler_limits desired = {deploy->cpu_limit, deploy->memory_limit,
                                              manifest->hostlet ? manifest->hostlet->pids_limit : 0};
    _cleanup_free_ char *text = limits_text(&desired, deploy->volume_limit);
    print_field("limits", text);
    for (size_t j = 0; j < i->n_replicas; j++) {
        const struct reconciler_replica *r = i->replicas[j];
        const struct reconciler_limits *has = r->limits;
        bool same =
            !has || ((has->cpu_limit == desired.cpu_limit || desired.cpu_limit == 0) &&
                     has->memory_limit == desired.memory_limit && has->pids_limit == desired.pids_limit);
        if (same && !r->limits_problem)
            continue;
        _cleanup_free_ char *now = has ? limits_text(has, -1) : xstrdup("not known"),
                            *line = xasprintf("replica %" PRId64 " has %s%s%s", r->id, now,
                                              r->limits_problem ? ": " : "", r->limits_problem ?: "");
        print_field("", line);
    }
}

static void print_head(const struct reconciler_instance *i, const struct app_manifest *manifest)
{
    const struct app_deploy *deploy = manifest->app ? manifest->app->deploy : NULL;
    _cleanup_free_ char *spec = i->spec ? xasprintf("%s %s", i->spec, i->version ?: "") : xstrdup(""),
                        *revision = xasprintf("%" PRId64 " (%s, %s)", i->revision, i->origin,
                                              schema_enum_name(&app_action_enum, i->action)),
                        *image = xasprintf("%s%s%s%s", i->image ?: "", i->image_id ? " (" : "",
                                           i->image_id ?: "", i->image_id ? ")" : ""),
                        *next = format_next(i->next, i->next_at);
    print_coloured(BOLD, i->name);
    fputs("  ", stdout);
    print_coloured(instance_colour(i), instance_summary(i));
    putchar('\n');
    print_field("message", i->message);
    if (!streq_null(i->problem, i->message))
        print_field("problem", i->problem ?: "");
    print_field("on hold", i->hold ?: "");
    if (i->unassigned)
        print_field("zone", "no longer assigned");
    print_field("next", next);
    print_field("spec", spec);
    if (!streq(i->origin, "unknown")) /* "unknown": the record cannot be read */
        print_field("revision", revision);
    print_field("file", i->file ?: "");
    print_field("image", image);
    if (deploy)
        print_limits(i, manifest);
    for (size_t j = 0; j < i->n_packages; j++) {
        const struct reconciler_package *p = i->packages[j];
        _cleanup_free_ char *text =
            p->id ? xasprintf("%s (requested: %s %s)", p->id, p->name, p->version ?: "any")
                  : xasprintf("%s %s (not resolved yet)", p->name, p->version ?: "any");
        print_field("package", text);
    }
}

static char *ports_of(const struct reconciler_replica *r)
{
    char *text = xstrdup(""), port[HOST_PORT_TEXT_SIZE];
    for (size_t i = 0; i < r->n_ports; i++) {
        struct host_port at = host_port_of(r->ports[i]);
        char *longer = xasprintf("%s%s%s %s->%" PRId64, text, i ? ", " : "", r->ports[i]->name ?: "",
                                 host_port_text(&at, port), r->ports[i]->port);
        free(text);
        text = longer;
    }
    return text;
}

/* Returns the message of a replica, or else what happened to its container without a request. */
static char *replica_message(const struct reconciler_replica *r)
{
    _cleanup_free_ char *ago = format_duration(now_realtime_msec() - r->last_exit_at);
    if (r->message)
        return xstrdup(r->message);
    if (r->last_exit)
        return xasprintf("last exit %s ago: %s", ago, r->last_exit);
    if (r->oom_kills > 0)
        return xasprintf("processes were killed for lack of memory (%" PRId64 " times)", r->oom_kills);
    return xstrdup(r->unassigned ? "no longer assigned by the zone" : "");
}

/* The reconciler appends the reason: "not enforced (REASON)". */
static void quota_cell(struct table *t, const char *quota)
{
    const char *reason = after_prefix(quota ?: "", "not enforced (");
    size_t n = reason ? strlen(reason) : 0;
    if (n == 0 || reason[n - 1] != ')') {
        table_cell(t, PLAIN, "%s", quota ?: "");
        return;
    }
    _cleanup_free_ char *why = xstrndup(reason, n - 1);
    table_cell_reason(t, PLAIN, "not enforced", why);
}

static void print_replicas(const struct reconciler_instance *i)
{
    struct table *t =
        table_new("REPLICA", "STATE", "REVISION", "PORTS", "QUOTA", "FAILURES", "NEXT TRY", "MESSAGE", NULL);
    for (size_t j = 0; j < i->n_replicas; j++) {
        const struct reconciler_replica *r = i->replicas[j];
        _cleanup_free_ char *ports = ports_of(r), *next = next_try(r->next_retry),
                            *message = replica_message(r);
        table_cell(t, PLAIN, "%" PRId64, r->id);
        table_cell(t, state_colour(r->state), "%s%s%s%s", state_name(r->state), r->step ? " (" : "",
                   r->step ?: "", r->step ? ")" : "");
        table_cell(t, PLAIN, "%" PRId64, r->revision);
        table_cell(t, PLAIN, "%s", ports);
        quota_cell(t, r->quota);
        table_cell(t, r->attempt ? YELLOW : PLAIN, "%" PRId64, r->attempt);
        table_cell(t, PLAIN, "%s", next);
        table_cell(t, PLAIN, "%s", message);
    }
    putchar('\n');
    table_print(t, false);
    for (size_t j = 0; j < i->n_replicas; j++) {
        const struct reconciler_replica *r = i->replicas[j];
        _cleanup_free_ char *next = format_next(r->next, r->next_at);
        if (*next)
            printf("replica %" PRId64 ": %s\n", r->id, next);
    }
    for (size_t j = 0; j < i->n_replicas; j++) {
        _cleanup_free_ char *others = format_other_lines(i->replicas[j]->message, "  ");
        if (*others)
            printf("\nreplica %" PRId64 ", last lines:\n%s", i->replicas[j]->id, others);
    }
}

static enum colour stage_colour(const char *state)
{
    int value = schema_enum_value(&app_stage_state_enum, state);
    return value == STAGE_SUCCESS ? GREEN : value == STAGE_FAILED ? RED : YELLOW;
}

static void print_stages(const struct reconciler_instance *i)
{
    struct table *t =
        table_new("REPLICA", "OWNER", "STAGE", "STATE", "ATTEMPT", "BEGAN", "TOOK", "MESSAGE", NULL);
    for (size_t j = 0; j < i->n_replicas; j++)
        for (size_t k = 0; k < i->replicas[j]->n_stages; k++) {
            const struct app_stage *s = i->replicas[j]->stages[k];
            int64_t end = s->finished ?: now_realtime_msec();
            _cleanup_free_ char *began = format_time(STAGE_BEGUN(s)),
                                *took = format_duration(end - STAGE_BEGUN(s));
            table_cell(t, PLAIN, "%" PRId64, i->replicas[j]->id);
            table_cell(t, PLAIN, "%s", s->owner ?: "");
            table_cell(t, PLAIN, "%s", s->name ?: "");
            table_cell(t, stage_colour(s->state), "%s", s->state ?: "");
            table_cell(t, PLAIN, "%" PRId64, s->attempt + 1);
            table_cell(t, PLAIN, "%s", began);
            table_cell(t, PLAIN, "%s", s->created ? took : "");
            table_cell(t, PLAIN, "%s", s->message ?: "");
        }
    if (table_rows(t) > 0)
        putchar('\n');
    table_print(t, false);
}

int command_app(struct ctl *ctl)
{
    const struct reconciler_name_in in = {.name = ctl->arguments[0]};
    struct reconciler_get_out out = {.instance = NULL};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_reconciler, "Get", &in, &out, CTL_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    if (ctl->json)
        print_json(schema_pack(varlink_find_method(&reconciler_interface, "Get")->out, &out));
    else {
        print_head(out.instance, out.manifest);
        print_replicas(out.instance);
        print_tasks(out.instance, out.manifest);
        print_stages(out.instance);
    }
    ctl_done(&ctl_reconciler, "Get", &out);
    return EXIT_OK;
}
