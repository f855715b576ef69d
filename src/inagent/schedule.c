/* Implements schedule.h. */
#include "inagent/schedule.h"

#include "lib/basic/util.h"

/* A change of the wall clock by more than this is a step; less is the difference between two readings. */
#define STEP_USEC ((int64_t)USEC_PER_SEC / 2)

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

void schedule_arm(const struct plan *plan, struct task *task, uint64_t now)
{
    (void)now;
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
    case TRIGGER_ON_SHUTDOWN:
    case TRIGGER_NONE:
        task->asked = false;
        break;
    }
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
        if (set)
            schedule_arm(plan, task, now);
        if (task->due > now)
            continue;
        task->asked = true;
        task->attempts = 0;
        task->due = UINT64_MAX;
        task->next = 0;
    }
}

int64_t schedule_wall_wakeup(const struct plan *plan)
{
    (void)plan;
    return INT64_MAX;
}
