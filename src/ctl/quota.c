/* Implements the commands for disk quotas: quota list, report, info, recheck. */
#include "ctl/quota.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/call.h"
#include "ctl/deletions.h"
#include "ctl/output.h"
#include "ctl/table.h"
#include "lib/api/provisioner.h"
#include "lib/api/quota_keeper.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

/* quota-keeper reads every file of every replica. */
#define WALK_TIMEOUT_USEC (3600 * USEC_PER_SEC)

struct listing {
    struct table *table;
    json_t *array;
    struct deletion_list deletions;
};

static enum colour level_colour(const struct quota_values *v)
{
    return v->not_enforced || v->level >= QUOTA_SOFT ? RED : v->level == QUOTA_THRESHOLD ? YELLOW : GREEN;
}

static void limit_cell(struct table *t, int64_t limit)
{
    _cleanup_free_ char *size = format_size(limit);
    table_cell(t, PLAIN, "%s", limit ? size : "none");
}

static void add_values(struct table *t, const struct quota_values *v)
{
    _cleanup_free_ char *used = format_size(v->used);
    const char *level = v->level == QUOTA_BELOW ? "" : schema_enum_name(&quota_level_enum, v->level);
    table_cell(t, PLAIN, "%s", v->container);
    table_cell(t, PLAIN, "%" PRId64, v->project);
    table_cell(t, PLAIN, "%s", used);
    limit_cell(t, v->soft);
    limit_cell(t, v->hard);
    table_cell(t, PLAIN, "%" PRId64, v->used_inodes);
    if (v->inodes)
        table_cell(t, PLAIN, "%" PRId64, v->inodes);
    else
        table_cell(t, PLAIN, "none");
    if (v->not_enforced)
        table_cell_reason(t, level_colour(v), "not enforced", v->not_enforced);
    else
        table_cell(t, level_colour(v), "%s", v->released ? "released" : level);
    table_cell(t, PLAIN, "%s", v->mount_point ?: "");
}

static void add_listed(const void *answer, void *userdata)
{
    const struct quota_list_out *out = answer;
    struct listing *l = userdata;
    if (!out->quota)
        return;
    add_values(l->table, out->quota);
    json_array_append_new(l->array, schema_pack(&quota_values_schema, out->quota));
}

static int print_listing(struct ctl *ctl, struct listing *l, const char *method, ctl_item_fn add,
                         const char *none)
{
    struct error e = ERROR_INIT;
    int r = ctl_stream_within(ctl, &ctl_quota, method, NULL, add, l, WALK_TIMEOUT_USEC, &e);
    if (r >= 0 && ctl->json)
        print_json(json_incref(l->array));
    else if (r >= 0 && table_rows(l->table) == 0)
        puts(none);
    table_print(l->table, r < 0 || ctl->json);
    json_decref(l->array);
    return r < 0 ? ctl_fail(&e) : EXIT_OK;
}

/* Returns the reason why the kernel enforces no limits and what would help, as "; …", or "" if it enforces
 * them. The caller frees it. */
static char *why_not_enforced(const struct ctl *ctl)
{
    struct quota_info_out info = {.n_mounts = 0};
    struct error ignored = ERROR_INIT; /* the reason is optional */
    if (ctl_call(ctl, &ctl_quota, "Info", NULL, &info, CTL_TIMEOUT_USEC, &ignored) < 0)
        return xstrdup("");
    char *text = info.enforced
                     ? xstrdup("")
                     : xasprintf("; disk quotas are not enforced: %s%s%s", info.reason ?: "no reason given",
                                 info.remedy ? "; " : "", info.remedy ?: "");
    ctl_done(&ctl_quota, "Info", &info);
    return text;
}

int command_quota_list(struct ctl *ctl)
{
    struct listing l = {table_new("CONTAINER", "PROJECT", "USED", "SOFT", "HARD", "INODES", "MAXIMUM",
                                  "STATE", "MOUNT POINT", NULL),
                        json_array(),
                        {.n_items = 0}};
    _cleanup_free_ char *why = ctl->json ? xstrdup("") : why_not_enforced(ctl),
                        *none = xasprintf("no replica has a project%s", why);
    return print_listing(ctl, &l, "List", add_listed, none);
}

/* Returns the text of a finding, for a removed directory with the provisioner's reason. The caller frees
 * it. */
static char *finding_message(const struct listing *l, const struct quota_finding *f)
{
    const struct provisioner_deletions_out *d =
        f->kind == QUOTA_NOT_DELETED ? deletion_list_find(&l->deletions, f->path) : NULL;
    _cleanup_free_ char *why = d ? deletion_text(d) : NULL;
    return why ? xasprintf("'%s' was removed and is not deleted yet: %s", f->path, why) : xstrdup(f->message);
}

static void add_finding(const void *answer, void *userdata)
{
    const struct quota_report_out *out = answer;
    struct listing *l = userdata;
    if (!out->finding)
        return;
    struct quota_finding f = *out->finding;
    _cleanup_free_ char *message = finding_message(l, &f);
    f.message = message;
    table_cell(l->table, RED, "%s", schema_enum_name(&quota_finding_enum, f.kind));
    if (f.project)
        table_cell(l->table, PLAIN, "%" PRId64, f.project);
    else
        table_cell(l->table, PLAIN, "%s", "");
    table_cell(l->table, PLAIN, "%s", f.container ?: "");
    table_cell(l->table, PLAIN, "%s", f.message);
    json_array_append_new(
        l->array,
        schema_pack(varlink_find_method(&quota_keeper_interface, "Report")->out->fields[0].structure, &f));
}

int command_quota_report(struct ctl *ctl)
{
    struct listing l = {
        table_new("FINDING", "PROJECT", "CONTAINER", "WHAT", NULL), json_array(), {.n_items = 0}};
    struct error ignored = ERROR_INIT; /* the provisioner's reasons are optional */
    (void)deletion_list_read(ctl, false, &l.deletions, &ignored);
    _cleanup_free_ char *why = ctl->json ? xstrdup("") : why_not_enforced(ctl),
                        *none = xasprintf("ledger, kernel and directories are consistent%s", why);
    int code = print_listing(ctl, &l, "Report", add_finding, none);
    deletion_list_done(&l.deletions);
    return code;
}

static void print_info(const struct quota_info_out *info)
{
    struct table *t = table_new("MOUNT POINT", "FILESYSTEM", "SOURCE", "PROJECTS", "LIMITS", NULL);
    for (size_t i = 0; i < info->n_mounts; i++) {
        const struct quota_mount *m = info->mounts[i];
        table_cell(t, PLAIN, "%s", m->mount_point);
        table_cell(t, PLAIN, "%s", m->filesystem);
        table_cell(t, PLAIN, "%s", m->source ?: "");
        table_cell(t, PLAIN, "%" PRId64, m->projects);
        _cleanup_free_ char *why =
            xasprintf("%s%s%s", m->reason ?: "", m->remedy ? "; " : "", m->remedy ?: "");
        table_cell_reason(t, m->enforced ? GREEN : YELLOW,
                          m->enforced    ? "enforced"
                          : m->accounted ? "counted, not enforced"
                                         : "not enforced",
                          why);
    }
    table_print(t, false);
    printf("project ids %" PRId64 " to %" PRId64 ", %" PRId64 " in use; ledger %s\n", info->id_min,
           info->id_max, info->projects, info->ledger ?: "?");
}

int command_quota_info(struct ctl *ctl)
{
    struct quota_info_out info = {.n_mounts = 0};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_quota, "Info", NULL, &info, CTL_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    if (ctl->json)
        print_json(schema_pack(varlink_find_method(&quota_keeper_interface, "Info")->out, &info));
    else
        print_info(&info);
    ctl_done(&ctl_quota, "Info", &info);
    return EXIT_OK;
}

/* Prints the result of one container. quota-keeper has made the names of a tenant's files in the sentences
 * printable. Returns whether the container has a project. */
static bool print_rechecked(const struct quota_values *v)
{
    for (size_t i = 0; i < v->n_put_back; i++)
        puts(v->put_back[i]->message);
    if (v->skipped)
        printf("%s: %" PRId64 " files could not be given project %" PRId64 "\n", v->container, v->skipped,
               v->project);
    else if (v->project)
        printf("%s: all files carry project %" PRId64 "\n", v->container, v->project);
    else
        printf("%s: it has no project\n", v->container);
    return v->project;
}

/* Prints once why containers have no project. */
static void print_why(const struct ctl *ctl)
{
    _cleanup_free_ char *why = why_not_enforced(ctl);
    if (*why)
        puts(why + strlen("; "));
}

struct recheck {
    json_t *array; /* NULL: results are printed as text */
    bool failed, without_project;
};

static void add_rechecked(const void *answer, void *userdata)
{
    const struct quota_recheck_out *out = answer;
    struct recheck *l = userdata;
    if (!out->container)
        return;
    l->failed |= !out->quota;
    if (l->array)
        json_array_append_new(
            l->array, schema_pack(varlink_find_method(&quota_keeper_interface, "RecheckAll")->out, out));
    else if (out->quota)
        l->without_project |= !print_rechecked(out->quota);
    else
        printf("%s: %s\n", out->container, out->problem ?: "it could not be checked");
}

static int recheck_all(struct ctl *ctl)
{
    struct recheck l = {.array = ctl->json ? json_array() : NULL};
    struct error e = ERROR_INIT;
    int r = ctl_stream_within(ctl, &ctl_quota, "RecheckAll", NULL, add_rechecked, &l, WALK_TIMEOUT_USEC, &e);
    if (r >= 0 && l.array)
        print_json(json_incref(l.array));
    json_decref(l.array);
    if (l.without_project)
        print_why(ctl);
    return r < 0 ? ctl_fail(&e) : l.failed ? EXIT_FAILED : EXIT_OK;
}

int command_quota_recheck(struct ctl *ctl)
{
    if (ctl->n_arguments == 0)
        return recheck_all(ctl);
    const struct quota_container_in in = {.container = ctl->arguments[0]};
    struct quota_values values = {.skipped = 0};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_quota, "Recheck", &in, &values, WALK_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    if (ctl->json)
        print_json(schema_pack(&quota_values_schema, &values));
    else if (!print_rechecked(&values))
        print_why(ctl);
    ctl_done(&ctl_quota, "Recheck", &values);
    return EXIT_OK;
}
