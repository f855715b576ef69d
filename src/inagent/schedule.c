/* Implements schedule.h.
 *
 * Intervals and "@every" count the monotonic clock, which nobody sets. The times of the calendar depend on
 * the wall clock. If it was set by an hour at most, a time that it has passed over is due now, and the last
 * time that has come does not come again; only the last one, since a task that runs every second must not
 * rest for as long as the clock was set back. After a larger step the expression is evaluated from the new
 * time on, and what was between is not made up for. The same holds for a machine that slept, and for a
 * container that was paused.
 */
#include "inagent/schedule.h"

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

/* A change of the wall clock by more than this is a step; less is the difference between two readings. */
#define STEP_USEC ((int64_t)USEC_PER_SEC / 2)

#define SLACK_SECONDS 3600

bool schedule_repeats(const struct task *task)
{
    return task->definition.trigger == TRIGGER_INTERVAL || task->definition.trigger == TRIGGER_CRON;
}

/* Reports whether the next run of the task depends on time alone. */
static bool rests(const struct task *task)
{
    return task->present && schedule_repeats(task) && !task->problem && !task->asked &&
           task->state != TASK_RUNNING && task->state != TASK_DELAYED;
}

static void show_due(const struct plan *plan, struct task *task)
{
    task->next = ((int64_t)task->due + plan->wall_offset) / (int64_t)USEC_PER_MSEC;
}

static void arm_interval(const struct plan *plan, struct task *task)
{
    if (task->over == 0) {
        task->asked = true;
        return;
    }
    task->due = task->over + task->definition.interval_seconds * USEC_PER_SEC;
    show_due(plan, task);
}

static int64_t wall_seconds(const struct plan *plan, uint64_t now)
{
    return ((int64_t)now + plan->wall_offset) / (int64_t)USEC_PER_SEC;
}

static bool is_calendar(const struct task *task)
{
    return task->definition.trigger == TRIGGER_CRON && task->cron.every == 0;
}

static void arm_every(const struct plan *plan, struct task *task, uint64_t now)
{
    uint64_t every = (uint64_t)task->cron.every * USEC_PER_SEC;
    if (task->anchor == 0)
        task->anchor = now;
    task->due = task->anchor + ((now - task->anchor) / every + 1) * every;
    show_due(plan, task);
}

static void arm_calendar(const struct plan *plan, struct task *task, uint64_t now)
{
    int64_t after = wall_seconds(plan, now), next = cron_next(&task->cron, task->tz, after);
    if (next == task->last_due && next - after <= SLACK_SECONDS)
        next = cron_next(&task->cron, task->tz, next);
    task->next = next == CRON_NEVER ? 0 : next * 1000;
}

void schedule_define(const struct plan *plan, struct task *task)
{
    struct error e = ERROR_INIT;
    int r = cron_parse(task->definition.cron, &task->cron, &e);
    task->tz = NULL;
    if (r == 0 && task->cron.every == 0 && plan->find_zone)
        r = plan->find_zone(plan->zones, task->cron.zone, &task->tz, &e);
    if (r < 0)
        task->problem = xasprintf("cron: %s", e.message);
}

void schedule_arm(const struct plan *plan, struct task *task, uint64_t now)
{
    if (task->state == TASK_RUNNING || task->state == TASK_DELAYED)
        return;
    task->due = UINT64_MAX;
    task->next = 0;
    switch (task->definition.trigger) {
    case TRIGGER_ON_STARTUP:
        task->asked = task->state == TASK_PENDING;
        break;
    case TRIGGER_INTERVAL:
        if (!task->asked)
            arm_interval(plan, task);
        break;
    case TRIGGER_CRON:
        if (task->asked)
            break;
        if (is_calendar(task))
            arm_calendar(plan, task, now);
        else
            arm_every(plan, task, now);
        break;
    case TRIGGER_ON_SHUTDOWN:
    case TRIGGER_NONE:
        task->asked = false;
        break;
    }
}

/* Marks a task as asked. */
static void ask(struct task *task)
{
    task->asked = true;
    task->attempts = 0;
    task->due = UINT64_MAX;
    task->next = 0;
}

/* Reports whether a time of the calendar has come. One that is long past is missed. */
static bool calendar_is_due(const struct plan *plan, struct task *task, uint64_t now)
{
    int64_t due = task->next / 1000, late = wall_seconds(plan, now) - due;
    if (task->next == 0 || late < 0)
        return false;
    if (late <= SLACK_SECONDS) {
        task->last_due = due;
        return true;
    }
    log_notice("task '%s' has missed its run of %lld s ago: the clock was set, or the container was paused",
               task->definition.name, (long long)late);
    schedule_arm(plan, task, now);
    return false;
}

void schedule_clock(struct plan *plan, uint64_t now, int64_t wall)
{
    int64_t offset = wall - (int64_t)now, step = offset - plan->wall_offset;
    bool set = step > STEP_USEC || step < -STEP_USEC;
    plan->wall_offset = offset;
    for (size_t i = 0; i < plan->n_tasks; i++) {
        struct task *task = plan->tasks[i];
        if (!rests(task))
            continue;
        if (is_calendar(task) ? calendar_is_due(plan, task, now) : task->due <= now)
            ask(task);
        else if (set)
            schedule_arm(plan, task, now);
    }
}

int64_t schedule_wall_wakeup(const struct plan *plan)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < plan->n_tasks; i++) {
        const struct task *task = plan->tasks[i];
        if (rests(task) && is_calendar(task) && task->next > 0 && task->next * 1000 < first)
            first = task->next * 1000;
    }
    return first;
}
