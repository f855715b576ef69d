/* Implements the commands that change the desired state: apply, plan, convert, start, stop, destroy, hold,
 * release. */
#include "ctl/apply.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "ctl/call.h"
#include "ctl/limit.h"
#include "ctl/options.h"
#include "ctl/output.h"
#include "ctl/wait.h"
#include "lib/app/check_deploy.h"
#include "lib/app/check_ports.h"
#include "lib/app/name.h"
#include "lib/manifest/manifest.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

/* How long the reconciler may wait for the runtime's containers, with which it compares a manifest. */
#define PATIENCE_USEC         (10 * USEC_PER_SEC)
#define PATIENCE_NO_WAIT_USEC (1 * USEC_PER_SEC)

/* --- printing replies --- */

static void print_changes(const struct reconciler_apply_out *out)
{
    for (size_t i = 0; i < out->n_changes; i++) {
        const struct reconciler_change *c = out->changes[i];
        _cleanup_free_ char *subject = format_safe(c->subject), *action = format_safe(c->action),
                            *reason = format_safe(c->reason);
        printf("  %s: %s%s%s%s\n", subject, action, *reason ? " (" : "", reason, *reason ? ")" : "");
    }
}

static void print_ports(const struct reconciler_apply_out *out)
{
    for (size_t i = 0; i < out->n_ports; i++) {
        _cleanup_free_ char *port = format_safe(out->ports[i]);
        printf("  %s\n", port);
    }
}

static void print_grants(const struct reconciler_apply_out *out)
{
    for (size_t i = 0; i < out->n_grants; i++) {
        _cleanup_free_ char *grant = format_safe(out->grants[i]);
        printf("  ");
        print_coloured(YELLOW, "gives");
        printf(": %s\n", grant);
    }
}

static void print_warnings(const struct reconciler_apply_out *out)
{
    for (size_t i = 0; i < out->n_warnings; i++) {
        _cleanup_free_ char *warning = format_safe(out->warnings[i]);
        printf("  ");
        print_coloured(YELLOW, "warning");
        printf(": %s\n", warning);
    }
}

static json_t *pack_answer(const char *method, const struct reconciler_apply_out *out)
{
    return schema_pack(varlink_find_method(&reconciler_interface, method)->out, out);
}

static const char *done_word(const char *method)
{
    return streq(method, "Apply")   ? "applied"
           : streq(method, "Start") ? "asked to start"
           : streq(method, "Stop")  ? "asked to stop"
                                    : "asked to be destroyed";
}

/* Calls 'method', prints the changes, and waits for the result unless 'no_wait' is set. Returns the exit
 * code; *ret_json is the output of --json, unset if the call failed. */
static int request(struct ctl *ctl, const char *method, const void *in, enum app_action action, bool no_wait,
                   json_t **ret_json)
{
    struct reconciler_apply_out out = {.name = NULL};
    struct reconciler_instance *last = NULL;
    struct error e = ERROR_INIT;
    int64_t begun = now_realtime_msec();
    int r = ctl_call(ctl, &ctl_reconciler, method, in, &out, CTL_TIMEOUT_USEC, &e), code = EXIT_OK;
    if (r < 0)
        return ctl_fail(&e);
    /* A destroy is not done while the instance exists, even if the reconciler changes nothing. */
    bool destroys = action == APP_ACTION_DESTROY;
    if (!ctl->json && !out.changed && destroys)
        printf("%s: is already being destroyed\n", out.name);
    else if (!ctl->json && !out.changed)
        printf("%s: unchanged (revision %" PRId64 ")\n", out.name, out.revision);
    if (!ctl->json && out.changed) {
        printf("%s: %s, revision %" PRId64 "\n", out.name, done_word(method), out.revision);
        print_changes(&out);
        print_grants(&out);
    }
    if (!ctl->json)
        print_warnings(&out);
    fflush(stdout);
    if (!no_wait) {
        const struct wait_options options = {.name = out.name,
                                             .revision = out.revision,
                                             .action = action,
                                             .begun_msec = begun,
                                             .unchanged = !out.changed && !destroys,
                                             .quiet = ctl->json};
        code = wait_for_instance(ctl, &options, &last);
    }
    *ret_json = pack_answer(method, &out);
    if (last) {
        json_object_set_new(*ret_json, "instance", schema_pack(&reconciler_instance_schema, last));
        schema_free(&reconciler_instance_schema, last);
    }
    ctl_done(&ctl_reconciler, method, &out);
    return code;
}

/* --- manifests --- */

struct manifests {
    char **paths;
    struct app_manifest *items;
    size_t n;
};

static void manifests_done(struct manifests *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->paths[i]);
        schema_done(&app_manifest_schema, &m->items[i]);
    }
    free(m->paths);
    free(m->items);
}

static int manifests_add(struct manifests *m, const char *path, struct error *e)
{
    struct app_manifest manifest = {.app = NULL};
    int r = manifest_read(path, &manifest, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < m->n; i++)
        if (streq(app_instance_name(&m->items[i]), app_instance_name(&manifest))) {
            r = error_refuse(e, EEXIST, "%s: '%s' is the instance's name in %s already", path,
                             app_instance_name(&manifest), m->paths[i]);
            schema_done(&app_manifest_schema, &manifest);
            return r;
        }
    m->paths = xrealloc(m->paths, m->n + 1, sizeof *m->paths);
    m->items = xrealloc(m->items, m->n + 1, sizeof *m->items);
    m->paths[m->n] = xstrdup(path);
    m->items[m->n++] = manifest;
    return 0;
}

static int is_manifest(const struct dirent *entry)
{
    return entry->d_name[0] != '.' &&
           (has_suffix(entry->d_name, ".toml") || has_suffix(entry->d_name, ".json"));
}

/* Refuses manifests that cannot be applied together: two of them want one port. */
static int manifests_check(const struct manifests *m, struct error *e)
{
    size_t first, second;
    if (app_check_together(m->items, m->n, &first, &second, e) >= 0)
        return 0;
    return error_prefix(e, "%s and %s", m->paths[first], m->paths[second]);
}

static int manifests_add_directory(struct manifests *m, const char *path, struct error *e)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, is_manifest, alphasort), r = 0;
    if (n < 0)
        return error_os(e, errno, "cannot read directory '%s'", path);
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *file = xasprintf("%s/%s", path, entries[i]->d_name);
        if (r >= 0)
            r = manifests_add(m, file, e);
        free(entries[i]);
    }
    free(entries);
    if (r >= 0 && n == 0)
        r = error_refuse(e, ENOENT, "there is no manifest (*.toml, *.json) in '%s'", path);
    return r < 0 ? r : manifests_check(m, e);
}

/* Reads a file, a directory of files, or "-" for standard input. All files are read before the first request,
 * so that a mistake in the last one does not leave half of them applied. */
static int manifests_read(const char *path, struct manifests *ret, struct error *e)
{
    struct stat st;
    if (!streq(path, "-") && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return manifests_add_directory(ret, path, e);
    return manifests_add(ret, path, e);
}

static void print_results(struct ctl *ctl, json_t *results, bool list)
{
    if (!ctl->json)
        json_decref(results);
    else if (list)
        print_json(results);
    else {
        json_t *first = json_array_get(results, 0);
        if (first)
            print_json(json_incref(first));
        json_decref(results);
    }
}

static bool is_directory(const char *path)
{
    struct stat st;
    return !streq(path, "-") && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Returns half of the time that is left, at most: the other half is for the rest. */
static int64_t patience_msec(bool no_wait)
{
    uint64_t left = limit_cut(UINT64_MAX) / 2, most = no_wait ? PATIENCE_NO_WAIT_USEC : PATIENCE_USEC;
    uint64_t msec = (left < most ? left : most) / USEC_PER_MSEC;
    return msec > 0 ? (int64_t)msec : 1;
}

/* Asks for the plan of a manifest after others, which changed the sum of memory limits by *memory. After
 * EXIT_OK and EXIT_FAILED with refusals the caller frees *ret with ctl_done(). */
static int ask_plan(struct ctl *ctl, struct app_manifest *manifest, bool no_wait, int64_t *memory,
                    struct reconciler_apply_out *ret)
{
    const struct reconciler_apply_in in = {
        .manifest = manifest, .patience_msec = patience_msec(no_wait), .planned_memory = *memory};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_reconciler, "Plan", &in, ret, CTL_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    if (ret->n_refusals > 0)
        return EXIT_FAILED;
    *memory += ret->memory_change;
    return EXIT_OK;
}

/* Plans all manifests of a directory, so that one that the reconciler refuses does not leave half of them
 * applied. A single manifest needs no plan: Apply refuses it as a whole. */
static int plan_before_apply(struct ctl *ctl, struct manifests *m, bool no_wait)
{
    int64_t memory = 0;
    int code = EXIT_OK;
    bool replies = true;
    for (size_t i = 0; m->n > 1 && replies && i < m->n; i++) {
        struct reconciler_apply_out out = {.name = NULL};
        int r = ask_plan(ctl, &m->items[i], no_wait, &memory, &out);
        for (size_t k = 0; k < out.n_refusals; k++)
            log_error("%s: %s", m->paths[i], out.refusals[k]);
        replies = r == EXIT_OK || out.n_refusals > 0;
        code = r ?: code;
        ctl_done(&ctl_reconciler, "Plan", &out);
    }
    if (code != EXIT_OK)
        log_error("nothing was applied");
    return code;
}

int command_apply(struct ctl *ctl)
{
    struct manifests m = {.n = 0};
    struct error e = ERROR_INIT;
    bool no_wait = ctl_option(ctl, "no-wait") != NULL;
    if (manifests_read(ctl->arguments[0], &m, &e) < 0) {
        manifests_done(&m);
        return ctl_fail(&e);
    }
    json_t *results = json_array();
    int code = plan_before_apply(ctl, &m, no_wait);
    bool refused = code != EXIT_OK;
    for (size_t i = 0; !refused && i < m.n; i++) {
        if (code != EXIT_OK) {
            log_error("%s: not applied, since an earlier manifest failed", m.paths[i]);
            continue;
        }
        const struct reconciler_apply_in in = {.manifest = &m.items[i],
                                               .patience_msec = patience_msec(no_wait)};
        enum app_action action = (enum app_action)app_action_of(m.items[i].app->deploy);
        json_t *json = NULL;
        code = request(ctl, "Apply", &in, action, no_wait, &json);
        if (json)
            json_array_append_new(results, json);
    }
    print_results(ctl, results, is_directory(ctl->arguments[0]));
    manifests_done(&m);
    return code;
}

/* Prints the plan of one manifest. */
static int plan_one(struct ctl *ctl, struct app_manifest *manifest, int64_t *memory, json_t *results)
{
    struct reconciler_apply_out out = {.name = NULL};
    int code = ask_plan(ctl, manifest, false, memory, &out);
    if (code != EXIT_OK && out.n_refusals == 0)
        return code;
    if (!ctl->json && !out.changed && out.n_refusals == 0)
        printf("%s: unchanged (revision %" PRId64 ")\n", out.name, out.revision);
    if (!ctl->json && out.changed) {
        printf("%s: would be revision %" PRId64 "\n", out.name, out.revision);
        print_changes(&out);
        print_ports(&out);
    }
    if (!ctl->json) {
        print_grants(&out);
        print_warnings(&out);
    }
    for (size_t i = 0; !ctl->json && i < out.n_refusals; i++) {
        _cleanup_free_ char *why = format_safe(out.refusals[i]);
        printf("%s: ", out.name);
        print_coloured(RED, "refused");
        printf(": %s\n", why);
    }
    json_array_append_new(results, pack_answer("Plan", &out));
    ctl_done(&ctl_reconciler, "Plan", &out);
    return code;
}

int command_plan(struct ctl *ctl)
{
    struct manifests m = {.n = 0};
    struct error e = ERROR_INIT;
    if (manifests_read(ctl->arguments[0], &m, &e) < 0) {
        manifests_done(&m);
        return ctl_fail(&e);
    }
    json_t *results = json_array();
    int64_t memory = 0;
    int code = EXIT_OK;
    for (size_t i = 0; i < m.n; i++)
        code = plan_one(ctl, &m.items[i], &memory, results) ?: code;
    print_results(ctl, results, is_directory(ctl->arguments[0]));
    manifests_done(&m);
    return code;
}

int command_convert(struct ctl *ctl)
{
    struct app_manifest manifest = {.app = NULL};
    struct error e = ERROR_INIT;
    if (manifest_read(ctl->arguments[0], &manifest, &e) < 0)
        return ctl_fail(&e);
    print_json(schema_pack(&app_manifest_schema, &manifest));
    schema_done(&app_manifest_schema, &manifest);
    return EXIT_OK;
}

/* --- actions --- */

static int order(struct ctl *ctl, const char *method, const void *in, enum app_action action)
{
    json_t *json = NULL;
    int code = request(ctl, method, in, action, ctl_option(ctl, "no-wait") != NULL, &json);
    if (json && ctl->json)
        print_json(json);
    else
        json_decref(json);
    return code;
}

int command_start(struct ctl *ctl)
{
    const struct reconciler_name_in in = {.name = ctl->arguments[0]};
    return order(ctl, "Start", &in, APP_ACTION_START);
}

int command_stop(struct ctl *ctl)
{
    const struct reconciler_name_in in = {.name = ctl->arguments[0]};
    return order(ctl, "Stop", &in, APP_ACTION_STOP);
}

int command_destroy(struct ctl *ctl)
{
    const struct reconciler_destroy_in in = {.name = ctl->arguments[0],
                                             .purge = ctl_option(ctl, "purge") != NULL};
    return order(ctl, "Destroy", &in, APP_ACTION_DESTROY);
}

/* --- holds --- */

static int hold_or_release(struct ctl *ctl, const char *method, const void *in, const char *word)
{
    struct reconciler_apply_out out = {.name = NULL};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_reconciler, method, in, &out, CTL_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    if (ctl->json)
        print_json(pack_answer(method, &out));
    else
        printf("%s: %s%s\n", out.name, out.changed ? "" : "already ", word);
    ctl_done(&ctl_reconciler, method, &out);
    return EXIT_OK;
}

int command_hold(struct ctl *ctl)
{
    const struct reconciler_hold_in in = {.name = ctl->arguments[0],
                                          .reason = (char *)ctl_option(ctl, "reason")};
    return hold_or_release(ctl, "Hold", &in, "on hold");
}

int command_release(struct ctl *ctl)
{
    const struct reconciler_name_in in = {.name = ctl->arguments[0]};
    return hold_or_release(ctl, "Release", &in, "released");
}
