/* Checks the tasks of a spec; see check_tasks.h. inagent(8) defines the meaning of their members. */
#include "lib/app/check_tasks.h"

#include <errno.h>
#include <inttypes.h>

#include "lib/app/check.h"
#include "lib/app/limits.h"
#include "lib/basic/cleanup.h"
#include "lib/cron/cron.h"

static ssize_t find_task(const struct app_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_tasks; i++)
        if (streq_null(spec->tasks[i]->name, name))
            return (ssize_t)i;
    return -1;
}

static int check_number(int64_t value, int64_t max, size_t task, const char *name, struct error *e)
{
    if (value >= 0 && value <= max)
        return 0;
    return error_refuse(e, EINVAL, "/app/spec/tasks/%zu/%s: %" PRId64 " is not from 0 to %" PRId64, task,
                        name, value, max);
}

/* Finds a wrong expression at apply instead of in the container. */
static int check_cron(const struct app_task *task, size_t i, struct error *e)
{
    struct cron cron;
    if (!task->cron || !*task->cron || cron_parse(task->cron, &cron, e) == 0)
        return 0;
    return error_prefix(e, "/app/spec/tasks/%zu/cron", i);
}

static bool has_trigger(const struct app_task *task)
{
    return task->on_startup || task->interval_seconds > 0 || (task->cron && *task->cron);
}

static int check_depends_on(const struct app_spec *spec, size_t i, struct error *e)
{
    const struct app_task *task = spec->tasks[i];
    for (size_t j = 0; j < task->n_depends_on; j++) {
        const char *name = task->depends_on[j];
        ssize_t k = find_task(spec, name);
        if (k < 0)
            return error_refuse(e, EINVAL,
                                "/app/spec/tasks/%zu/depends_on/%zu: '%.100s' is no task of this application",
                                i, j, name);
        if (spec->tasks[k]->on_shutdown || !has_trigger(spec->tasks[k]))
            return error_refuse(
                e, EINVAL,
                "/app/spec/tasks/%zu/depends_on/%zu: '%.100s' does not run before the shutdown, so "
                "that '%s' would wait forever",
                i, j, name, task->name);
    }
    return 0;
}

/* Returns the first dependency of an impossible task that is impossible itself. */
static size_t next_impossible(const struct app_spec *spec, const bool *possible, size_t task)
{
    for (size_t j = 0;; j++) {
        size_t other = (size_t)find_task(spec, spec->tasks[task]->depends_on[j]);
        if (!possible[other])
            return other;
    }
}

/* Refuses the cycle that the impossible task 'i' is in or depends on. */
static int refuse_circle(const struct app_spec *spec, const bool *possible, size_t i, struct error *e)
{
    /* After as many steps as there are tasks, 'i' is in the cycle. */
    for (size_t steps = 0; steps < spec->n_tasks; steps++)
        i = next_impossible(spec, possible, i);
    size_t next = next_impossible(spec, possible, i);
    const char *name = spec->tasks[i]->name;
    if (next == i)
        return error_refuse(e, EINVAL, "/app/spec/tasks/%zu/depends_on: '%s' depends on itself", i, name);
    return error_refuse(e, EINVAL, "/app/spec/tasks/%zu/depends_on: '%s' depends on itself, through '%s'", i,
                        name, spec->tasks[next]->name);
}

/* Repeatedly marks each task as possible whose dependencies are all possible. The tasks that remain are in
 * a cycle, or depend on one. */
static int check_circles(const struct app_spec *spec, struct error *e)
{
    _cleanup_free_ bool *possible = xcalloc(spec->n_tasks, sizeof *possible);
    for (bool grown = true; grown;) {
        grown = false;
        for (size_t i = 0; i < spec->n_tasks; i++) {
            const struct app_task *task = spec->tasks[i];
            bool all = !possible[i];
            for (size_t j = 0; j < task->n_depends_on && all; j++)
                all = possible[find_task(spec, task->depends_on[j])];
            if (all)
                possible[i] = grown = true;
        }
    }
    for (size_t i = 0; i < spec->n_tasks; i++)
        if (!possible[i])
            return refuse_circle(spec, possible, i, e);
    return 0;
}

/* Checks how the tasks show that the application is ready. */
static int check_ready(const struct app_spec *spec, struct error *e)
{
    const struct app_task *first = NULL;
    int r;
    for (size_t i = 0; i < spec->n_tasks; i++) {
        const struct app_task *task = spec->tasks[i];
        if ((r = check_number(task->ready_timeout, APP_READY_TIMEOUT_MAX, i, "ready_timeout", e)) < 0 ||
            (r = check_number(task->watchdog, APP_WATCHDOG_MAX, i, "watchdog", e)) < 0)
            return r;
        if (task->ready == APP_READY_NONE && (task->ready_timeout > 0 || task->watchdog > 0))
            return error_refuse(e, EINVAL,
                                "/app/spec/tasks/%zu/%s: needs ready = \"notify\" in the same task", i,
                                task->ready_timeout > 0 ? "ready_timeout" : "watchdog");
        if (task->ready == APP_READY_NONE)
            continue;
        if (task->on_shutdown || !task->on_startup)
            return error_refuse(e, EINVAL,
                                "/app/spec/tasks/%zu/ready: '%s' has not the trigger on_startup: only a task "
                                "that runs from the start can show that the application is ready",
                                i, task->name);
        if (first)
            return error_refuse(e, EINVAL,
                                "/app/spec/tasks/%zu/ready: one task of an application can have it, and '%s' "
                                "has it already",
                                i, first->name);
        first = task;
    }
    return 0;
}

int check_tasks(const struct app_spec *spec, struct error *e)
{
    int r;
    for (size_t i = 0; i < spec->n_tasks; i++) {
        const struct app_task *task = spec->tasks[i];
        _cleanup_free_ char *where = xasprintf("/app/spec/tasks/%zu/name", i);
        if ((r = check_word(task->name, where, e)) < 0)
            return r;
        if (find_task(spec, task->name) != (ssize_t)i)
            return error_refuse(e, EINVAL, "%s: a second task '%s'", where, task->name);
        if ((r = check_number(task->interval_seconds, INT32_MAX, i, "interval_seconds", e)) < 0 ||
            (r = check_number(task->max_attempts, UINT32_MAX, i, "max_attempts", e)) < 0 ||
            (r = check_number(task->retry_backoff_seconds, UINT32_MAX, i, "retry_backoff_seconds", e)) < 0)
            return r;
        if ((r = check_number(task->timeout, UINT32_MAX, i, "timeout", e)) < 0 ||
            (r = check_cron(task, i, e)) < 0)
            return r;
    }
    for (size_t i = 0; i < spec->n_tasks; i++)
        if ((r = check_depends_on(spec, i, e)) < 0)
            return r;
    r = check_ready(spec, e);
    return r < 0 ? r : check_circles(spec, e);
}
