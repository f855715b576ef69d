/* Implements the commands status and version. */
#include "ctl/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "ctl/apps.h"
#include "ctl/call.h"
#include "ctl/deletions.h"
#include "ctl/limit.h"
#include "ctl/output.h"
#include "ctl/services.h"
#include "ctl/status_zone.h"
#include "lib/api/container_driver.h"
#include "lib/api/quota_keeper.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

/* The page is shown also if the runtime hangs. */
#define STATUS_TIMEOUT_USEC (10 * USEC_PER_SEC)

struct status {
    struct service_list services;
    struct driver_info_out runtime;
    struct quota_info_out quota;
    struct instance_list apps;
    struct reconciler_info_out reconciler; /* empty if it could not be read */
    struct deletion_list deletions;
    struct status_zone zone;
    /* The reasons why parts could not be read; errnum 0: the part was read. */
    struct error services_error, runtime_error, quota_error, apps_error, deletions_error;
};

static bool is_running(const struct service_list *list, const char *name)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (streq(list->items[i]->name, name))
            return list->items[i]->state == SERVICE_READY;
    return false;
}

/* Asks one service after the other. The last one has all the time that is left. */
static void read_status(struct ctl *ctl, struct status *s)
{
    limit_divide(6);
    service_list_read(ctl, &s->services, &s->services_error);
    limit_divide(5);
    status_zone_read(ctl, &s->services, STATUS_TIMEOUT_USEC, &s->zone);
    limit_divide(4);
    ctl_call(ctl, &ctl_driver, "Info", NULL, &s->runtime, STATUS_TIMEOUT_USEC, &s->runtime_error);
    limit_divide(3);
    ctl_call(ctl, &ctl_quota, "Info", NULL, &s->quota, STATUS_TIMEOUT_USEC, &s->quota_error);
    limit_divide(2);
    deletion_list_read(ctl, is_running(&s->services, "provisioner"), &s->deletions, &s->deletions_error);
    limit_divide(1);
    instance_list_read(ctl, &s->apps, &s->apps_error);
    struct error none = ERROR_INIT; /* the same as that of the list */
    if (!s->apps_error.errnum)
        ctl_call(ctl, &ctl_reconciler, "Info", NULL, &s->reconciler, STATUS_TIMEOUT_USEC, &none);
}

static void status_done(struct status *s)
{
    service_list_done(&s->services);
    if (!s->runtime_error.errnum)
        ctl_done(&ctl_driver, "Info", &s->runtime);
    if (!s->quota_error.errnum)
        ctl_done(&ctl_quota, "Info", &s->quota);
    instance_list_done(&s->apps);
    ctl_done(&ctl_reconciler, "Info", &s->reconciler);
    deletion_list_done(&s->deletions);
    status_zone_done(&s->zone);
}

static bool is_good(const struct supervisor_service *s)
{
    return !s->disabled && (s->state == SERVICE_READY || s->state == SERVICE_LISTENING);
}

static void print_services(const struct status *s)
{
    if (s->services_error.errnum) {
        print_page_line("services", RED, s->services_error.message);
        return;
    }
    const struct service_list *list = &s->services;
    size_t good = 0, wanted = 0, restarts = 0;
    for (size_t i = 0; i < list->n_items; i++) {
        good += is_good(list->items[i]);
        wanted += !list->items[i]->disabled;
        restarts += (size_t)list->items[i]->restarts;
    }
    _cleanup_free_ char *text = xasprintf("%zu of %zu ready or listening, %zu restart%s", good, wanted,
                                          restarts, restarts == 1 ? "" : "s");
    print_page_line("services", good == wanted ? GREEN : YELLOW, text);
    for (size_t i = 0; i < list->n_items; i++) {
        const struct supervisor_service *x = list->items[i];
        if (is_good(x) || x->disabled)
            continue;
        _cleanup_free_ char *line =
            xasprintf("  %s is %s%s%s", x->name, schema_enum_name(&service_state_enum, x->state),
                      x->reason ? ": " : "", x->reason ?: "");
        print_page_line("", service_colour(x->state), line);
    }
}

/* Prints the seccomp profile of new containers. */
static void print_seccomp(const struct driver_info_out *i)
{
    if (i->state != DRIVER_RUNTIME_UP || !i->seccomp)
        return;
    _cleanup_free_ char *text = NULL;
    if (streq(i->seccomp, "none"))
        text = xasprintf("  seccomp: new containers have no filter of system calls: %s",
                         i->seccomp_reason ?: "");
    else if (streq(i->seccomp, "runtime"))
        text = xasprintf("  seccomp: new containers get the engine's own profile%s%s; disk quotas limit only "
                         "accidental growth",
                         i->seccomp_reason ? ": " : "", i->seccomp_reason ?: "");
    else
        text = xasprintf("  seccomp: new containers get %s%s",
                         streq(i->seccomp, "hostlet") ? "hostlet's profile" : "the profile ",
                         streq(i->seccomp, "hostlet") ? "" : i->seccomp);
    print_page_line("", streq(i->seccomp, "none") || streq(i->seccomp, "runtime") ? YELLOW : PLAIN, text);
}

static void print_runtime(const struct status *s)
{
    const struct driver_info_out *i = &s->runtime;
    if (s->runtime_error.errnum) {
        print_page_line("runtime", RED, s->runtime_error.message);
        return;
    }
    _cleanup_free_ char *memory = format_size(i->memory);
    _cleanup_free_ char *text =
        i->state == DRIVER_RUNTIME_DOWN
            ? xasprintf("%s is down: %s", i->runtime ?: "", i->reason ?: "no reason given")
            : xasprintf("%s %s (API %s), %" PRId64 " CPUs, %s, storage %s%s", i->runtime ?: "",
                        i->version ?: "?", i->api_version ?: "?", i->cpus, memory, i->storage_driver ?: "?",
                        i->live_restore ? ", live-restore" : "");
    print_page_line("runtime", i->state == DRIVER_RUNTIME_DOWN ? RED : GREEN, text);
    if (i->state == DRIVER_RUNTIME_UP && !i->live_restore && streq_null(i->runtime, "docker"))
        print_page_line("", YELLOW, "  live-restore is off: containers are replaced when dockerd restarts");
    print_seccomp(i);
    _cleanup_free_ char *adopted = i->adopted_reason ? xasprintf("  %s", i->adopted_reason) : NULL;
    if (adopted)
        print_page_line("", RED, adopted);
}

static void print_quota(const struct status *s)
{
    const struct quota_info_out *q = &s->quota;
    if (s->quota_error.errnum) {
        bool unsupported = s->quota_error.class == ERROR_NOT_SUPPORTED;
        _cleanup_free_ char *text =
            xasprintf("%s%s", unsupported ? "not enforced: " : "", s->quota_error.message);
        print_page_line("quota", unsupported ? YELLOW : RED, text);
        return;
    }
    _cleanup_free_ char *text =
        q->enforced ? xasprintf("enforced on %s (%s)", q->mount_point ?: "?", q->filesystem ?: "?")
                    : xasprintf("not enforced: %s%s%s", q->reason ?: "no reason given", q->remedy ? "; " : "",
                                q->remedy ?: "");
    print_page_line("quota", q->enforced ? GREEN : YELLOW, text);
}

/* Returns what the page says about the instance, or NULL if it runs or is stopped as desired. The caller
 * frees it. */
static char *trouble_of(const struct reconciler_instance *x)
{
    if (!x->failed && instance_count(x, REPLICA_PAUSED) == 0)
        return NULL;
    _cleanup_free_ char *message =
        format_first_line(instance_message(x)); /* the last lines of a log follow */
    return xasprintf("%s%s%s", x->failed ? "failed" : "paused", *message ? ": " : "", message);
}

/* Prints a line for the instance 'at' and those after it about which the page says the same; none if one
 * before it had that line. */
static void print_troubled(const struct status *s, size_t at)
{
    _cleanup_free_ char *text = trouble_of(s->apps.items[at]), *names = xstrdup("");
    if (!text)
        return;
    for (size_t i = 0; i < s->apps.n_items; i++) {
        _cleanup_free_ char *other = trouble_of(s->apps.items[i]);
        if (!streq_null(other, text))
            continue;
        if (i < at)
            return;
        _cleanup_free_ char *before = names;
        names = xasprintf("%s%s%s", before, *before ? ", " : "", s->apps.items[i]->name);
    }
    _cleanup_free_ char *line = xasprintf("  %s %s", names, text);
    print_page_line("", s->apps.items[at]->failed ? RED : YELLOW, line);
}

static void print_apps(const struct status *s)
{
    if (s->apps_error.errnum) {
        print_page_line("apps", RED, s->apps_error.message);
        return;
    }
    size_t replicas = 0, running = 0, paused = 0, failed = 0, working = 0;
    for (size_t i = 0; i < s->apps.n_items; i++) {
        const struct reconciler_instance *x = s->apps.items[i];
        replicas += x->n_replicas;
        running += instance_count(x, REPLICA_RUNNING);
        paused += instance_count(x, REPLICA_PAUSED);
        failed += x->failed;
        working += !x->failed && !x->settled;
    }
    _cleanup_free_ char *frozen = paused > 0 ? xasprintf(", %zu paused", paused) : xstrdup("");
    _cleanup_free_ char *text =
        xasprintf("%zu with %zu replica%s: %zu running%s; %zu failed, %zu being worked on", s->apps.n_items,
                  replicas, replicas == 1 ? "" : "s", running, frozen, failed, working);
    print_page_line("apps", failed ? RED : working || paused ? YELLOW : GREEN, text);
    for (size_t i = 0; i < s->apps.n_items; i++)
        print_troubled(s, i);
}

/* Prints the pending deletions; nothing if there are none. */
static void print_deletions(const struct status *s)
{
    const struct deletion_list *list = &s->deletions;
    if (s->deletions_error.errnum) {
        print_page_line("deletions", RED, s->deletions_error.message);
        return;
    }
    size_t stuck = 0;
    for (size_t i = 0; i < list->n_items; i++)
        stuck += list->items[i]->message != NULL;
    if (list->n_items == 0)
        return;
    _cleanup_free_ char *text =
        xasprintf("%zu in progress, %zu cannot be finished", list->n_items - stuck, stuck);
    print_page_line("deletions", stuck ? RED : YELLOW, text);
    for (size_t i = 0; i < list->n_items; i++) {
        _cleanup_free_ char *why = deletion_text(list->items[i]),
                            *line = xasprintf("  %s: %s", list->items[i]->path, why);
        print_page_line("", list->items[i]->message ? RED : YELLOW, line);
    }
}

/* Prints the directory of manifests; nothing if none is configured. */
static void print_manifests(const struct status *s)
{
    const struct reconciler_info_out *i = &s->reconciler;
    if (!i->manifests)
        return;
    _cleanup_free_ char *text =
        i->manifests_problem
            ? xasprintf("not followed, and its instances are left unchanged: %s", i->manifests_problem)
            : xstrdup(i->manifests);
    print_page_line("manifests", i->manifests_problem ? RED : GREEN, text);
}

static json_t *part_or_error(const struct error *e, json_t *part)
{
    if (!e->errnum)
        return part;
    json_decref(part);
    return json_pack("{s:s}", "error", e->message);
}

static json_t *pack_status(const struct ctl *ctl, const struct status *s)
{
    json_t *services = json_array(), *apps = json_array();
    const struct schema_struct *service =
        varlink_find_method(&supervisor_interface, "List")->out->fields[0].structure;
    for (size_t i = 0; i < s->services.n_items; i++)
        json_array_append_new(services, schema_pack(service, s->services.items[i]));
    for (size_t i = 0; i < s->apps.n_items; i++)
        json_array_append_new(apps, schema_pack(&reconciler_instance_schema, s->apps.items[i]));
    json_t *runtime =
        s->runtime_error.errnum
            ? NULL
            : schema_pack(varlink_find_method(&container_driver_interface, "Info")->out, &s->runtime);
    json_t *quota = s->quota_error.errnum
                        ? NULL
                        : schema_pack(varlink_find_method(&quota_keeper_interface, "Info")->out, &s->quota);
    json_t *manifests = s->reconciler.manifests
                            ? json_pack("{s:s,s:s*}", "directory", s->reconciler.manifests, "problem",
                                        s->reconciler.manifests_problem)
                            : NULL;
    return json_pack("{s:s,s:s,s:o,s:o,s:o,s:o*,s:o*,s:o,s:o*,s:o}", "version", PACKAGE_VERSION, "prefix",
                     ctl->tree.prefix ?: "", "services", part_or_error(&s->services_error, services),
                     "runtime", part_or_error(&s->runtime_error, runtime), "quota",
                     part_or_error(&s->quota_error, quota), "zone", status_zone_pack(&s->zone), "network",
                     status_zone_pack_network(&s->zone), "apps", part_or_error(&s->apps_error, apps),
                     "manifests", manifests, "deletions",
                     part_or_error(&s->deletions_error, deletion_list_pack(&s->deletions)));
}

/* Returns EXIT_DOWN if the tree is not running, and EXIT_FAILED if a service refused the caller or failed. */
static int status_code(const struct status *s)
{
    const struct error *parts[] = {&s->services_error, &s->apps_error};
    int code = EXIT_OK;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (parts[i]->class == ERROR_SERVICE_DOWN)
            return EXIT_DOWN;
        else if (parts[i]->errnum)
            code = EXIT_FAILED;
    return code;
}

int command_status(struct ctl *ctl)
{
    struct status s = {.services = {.n_items = 0}};
    read_status(ctl, &s);
    if (ctl->json)
        print_json(pack_status(ctl, &s));
    else {
        printf("hostlet %s%s%s\n", PACKAGE_VERSION, ctl->tree.prefix ? ", tree below " : "",
               ctl->tree.prefix ?: "");
        print_services(&s);
        print_runtime(&s);
        print_quota(&s);
        status_zone_print(&s.zone);
        print_apps(&s);
        print_manifests(&s);
        print_deletions(&s);
    }
    int code = status_code(&s);
    status_done(&s);
    return code;
}

int command_version(struct ctl *ctl)
{
    if (ctl->json)
        print_json(json_pack("{s:s,s:s}", "version", PACKAGE_VERSION, "arch", HOSTLET_ARCH));
    else
        printf("hostlet %s (%s)\n", PACKAGE_VERSION, HOSTLET_ARCH);
    return EXIT_OK;
}
