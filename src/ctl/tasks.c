/* Implements tasks.h. */
#include "ctl/tasks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/table.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

/* Returns what starts the task. The caller frees it. */
static char *trigger_of(const struct app_task *task)
{
    if (task->on_shutdown || task->on_startup)
        return xstrdup(task->on_shutdown ? "shutdown" : "startup");
    if (task->interval_seconds > 0)
        return xasprintf("every %" PRId64 " s", task->interval_seconds);
    return xstrdup(task->cron && *task->cron ? task->cron : "by request");
}

static const struct app_task_status *find_status(const struct reconciler_replica *replica, const char *name)
{
    for (size_t i = 0; i < replica->n_tasks; i++)
        if (streq_null(replica->tasks[i]->name, name))
            return replica->tasks[i];
    return NULL;
}

/* Returns how the last run ended. The caller frees it. */
static char *result_of(const struct app_task_status *s, enum colour *ret_colour)
{
    int state = schema_enum_value(&app_task_state_enum, s->state);
    *ret_colour = PLAIN;
    if (state == TASK_STATE_RUNNING) {
        *ret_colour = GREEN;
        return xstrdup("running");
    }
    if (s->started == 0 && state != TASK_STATE_FAILED)
        return xstrdup("");
    *ret_colour = RED;
    if (s->finished < s->started) /* the container ended during the run */
        return xstrdup("interrupted");
    if (s->exit_code != 0)
        return xasprintf("exit code %" PRId64, s->exit_code);
    if (s->started == 0)
        return xstrdup("failed");
    *ret_colour = GREEN;
    return xstrdup("success");
}

/* Returns "3 s ago" or "in 5 min"; "" for 0. The caller frees it. */
static char *distance(int64_t at)
{
    int64_t from_now = at - now_realtime_msec();
    if (at == 0)
        return xstrdup("");
    _cleanup_free_ char *text = format_duration(from_now < 0 ? -from_now : from_now);
    return from_now < 0 ? xasprintf("%s ago", text) : xasprintf("in %s", text);
}

static void print_row(struct table *t, const struct reconciler_replica *replica, const struct app_task *task)
{
    static const struct app_task_status unknown = {.name = NULL};
    const struct app_task_status *s = find_status(replica, task->name) ?: &unknown;
    enum colour colour;
    _cleanup_free_ char *trigger = trigger_of(task), *result = result_of(s, &colour),
                        *last = distance(s->started),
                        *next =
                            s->next > 0 && s->next < now_realtime_msec() ? xstrdup("now") : distance(s->next);
    table_cell(t, PLAIN, "%" PRId64, replica->id);
    table_cell(t, PLAIN, "%s", task->name ?: "");
    table_cell(t, PLAIN, "%s", trigger);
    table_cell(t, PLAIN, "%s", last);
    table_cell(t, colour, "%s", result);
    table_cell(t, PLAIN, "%s", next);
    table_cell(t, PLAIN, "%s", s->message ?: "");
}

void print_tasks(const struct reconciler_instance *instance, const struct app_manifest *manifest)
{
    const struct app_spec *spec = manifest->app ? manifest->app->spec : NULL;
    struct table *t =
        table_new("REPLICA", "TASK", "TRIGGER", "LAST RUN", "RESULT", "NEXT RUN", "MESSAGE", NULL);
    for (size_t i = 0; i < instance->n_replicas; i++)
        for (size_t k = 0; spec && k < spec->n_tasks; k++)
            print_row(t, instance->replicas[i], spec->tasks[k]);
    if (table_rows(t) > 0)
        putchar('\n');
    table_print(t, false);
}
