/* Implements the command logs: selects the replicas and prints their output. log_source.c reads one output,
 * follow.c implements --follow. */
#include "ctl/logs.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ctl/call.h"
#include "ctl/follow.h"
#include "ctl/options.h"
#include "lib/api/reconciler.h"
#include "lib/app/limits.h"
#include "lib/logs/label.h"

/* Prints the output of one replica after the other. */
static int print_all(struct ctl *ctl, const char *instance, struct log_source *sources, size_t n)
{
    int code = EXIT_OK;
    for (size_t i = 0; i < n; i++) {
        struct error e = ERROR_INIT;
        int r = log_source_open(ctl, &sources[i], instance, false, &e);
        for (r = r < 0 ? r : 1; r > 0;)
            r = log_source_read(&sources[i], &e);
        if (r < 0)
            code = ctl_fail(&e);
    }
    return code;
}

/* Notes that no task of the present manifest has this name; the log can have lines of an earlier revision. */
static void check_task(const struct app_manifest *manifest, const char *instance, const char *task)
{
    const struct app_spec *spec = manifest->app ? manifest->app->spec : NULL;
    for (size_t i = 0; spec && i < spec->n_tasks; i++)
        if (streq_null(spec->tasks[i]->name, task))
            return;
    log_notice("logs: '%s' has no task '%s' at present", instance, task);
}

static int find_replicas(struct ctl *ctl, const char *instance, struct log_source **ret, size_t *ret_n)
{
    const struct reconciler_name_in in = {.name = (char *)instance};
    struct reconciler_get_out out = {.instance = NULL};
    struct error e = ERROR_INIT;
    if (ctl_call(ctl, &ctl_reconciler, "Get", &in, &out, CTL_TIMEOUT_USEC, &e) < 0)
        return ctl_fail(&e);
    const struct reconciler_instance *found = out.instance;
    if (found->n_replicas == 0) {
        log_error("logs: no replica of '%s' is known%s%s", instance, found->message ? ": " : "",
                  found->message ?: "");
        ctl_done(&ctl_reconciler, "Get", &out);
        return EXIT_FAILED;
    }
    *ret_n = found->n_replicas;
    *ret = xcalloc(*ret_n, sizeof **ret);
    for (size_t i = 0; i < *ret_n; i++)
        (*ret)[i] =
            (struct log_source){.replica = out.instance->replicas[i]->id, .fd = -1, .prefixed = *ret_n > 1};
    if (ctl_option(ctl, "task"))
        check_task(out.manifest, instance, ctl_option(ctl, "task"));
    ctl_done(&ctl_reconciler, "Get", &out);
    return EXIT_OK;
}

/* Sets what the command's options say. The last lines of a task are not the last lines of the log, so that
 * all are read for them. */
static void set_options(struct ctl *ctl, struct log_source *sources, size_t n, char label[LOG_PREFIX_SIZE])
{
    const char *task = ctl_option(ctl, "task");
    int64_t tail = ctl_option_number(ctl, "tail", 0, INT32_MAX, 0);
    (void)log_label_prefix(task ?: "", label);
    for (size_t i = 0; i < n; i++) {
        sources[i].raw = ctl_option(ctl, "raw") != NULL;
        sources[i].since = ctl_option_duration(ctl, "since", 0);
        sources[i].label = task ? label : NULL;
        sources[i].keep = task ? tail : 0;
        sources[i].tail = task ? 0 : tail;
    }
}

/* Prints the last lines that exist already, before what follows them. A replica without a container has none.
 */
static void print_tails(struct ctl *ctl, const char *instance, struct log_source *sources, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct error e = ERROR_INIT;
        int r = log_source_open(ctl, &sources[i], instance, false, &e);
        while (r >= 0 && (r = log_source_read(&sources[i], &e)) > 0)
            ;
        sources[i].keep = 0;
    }
}

int command_logs(struct ctl *ctl)
{
    _cleanup_free_ char *instance = xstrdup(ctl->arguments[0]);
    _cleanup_free_ struct log_source *sources = NULL;
    char *slash = strchr(instance, '/');
    size_t n = 1;
    if (ctl->json) {
        log_error("logs: the output of an application has no JSON form");
        return EXIT_USAGE;
    }
    bool only_new = ctl_option_number(ctl, "tail", 0, INT32_MAX, 1) == 0;
    uint64_t began_usec = now_monotonic_usec();
    (void)ctl_option_duration(ctl, "since", 0);
    if (slash) {
        int64_t id;
        *slash = '\0';
        if (parse_int64(slash + 1, 0, APP_REPLICA_ID_MAX, &id) < 0) {
            log_error("logs: '%s' is no id of a replica", slash + 1);
            return EXIT_USAGE;
        }
        sources = xcalloc(1, sizeof *sources);
        *sources = (struct log_source){.replica = id, .fd = -1};
    } else {
        int code = find_replicas(ctl, instance, &sources, &n);
        if (code != EXIT_OK)
            return code;
    }
    for (size_t i = 0; only_new && i < n; i++)
        sources[i].ended_usec = began_usec;
    bool follow = ctl_option(ctl, "follow") != NULL;
    char label[LOG_PREFIX_SIZE];
    set_options(ctl, sources, n, label);
    if (follow && sources[0].keep > 0)
        print_tails(ctl, instance, sources, n);
    int code = follow ? follow_logs(ctl, instance, sources, n) : print_all(ctl, instance, sources, n);
    for (size_t i = 0; i < n; i++)
        log_source_done(&sources[i]);
    return code;
}
