/* Implements plan.h. */
#include "inagent/plan.h"

#include <errno.h>

#include "inagent/depends.h"
#include "inagent/schedule.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

/* Delay after a failure without retry_backoff_seconds, as in the original agent. */
#define RETRY_SECONDS 10
/* A run of a startup task of at least this length is not a failed start: max_attempts counts from one again.
 */
#define HELD_USEC (60 * USEC_PER_SEC)
/* The exit code of a run that inagent has ended, and that exited with 0; timeout(1) has the same. */
#define ENDED_EXIT_CODE 124

static struct task *find(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->n_tasks; i++)
        if (streq(plan->tasks[i]->definition.name, name))
            return plan->tasks[i];
    return NULL;
}

struct task *plan_find(const struct plan *plan, const char *name)
{
    struct task *task = find(plan, name);
    return task && task->present ? task : NULL;
}

void task_definition_clear(struct task_definition *definition)
{
    for (char **name = definition->depends_on; name && *name; name++)
        free(*name);
    free(definition->depends_on);
    free(definition->name);
    free(definition->script);
    free(definition->working_dir);
    free(definition->run_user);
    free(definition->cron);
    *definition = (struct task_definition){0};
}

static bool same_names(char **a, char **b)
{
    while (*a && *b && streq(*a, *b)) {
        a++;
        b++;
    }
    return !*a && !*b;
}

static bool same_schedule(const struct task_definition *a, const struct task_definition *b)
{
    return a->trigger == b->trigger && a->interval_seconds == b->interval_seconds && streq(a->cron, b->cron);
}

static bool same_definition(const struct task_definition *a, const struct task_definition *b)
{
    return same_schedule(a, b) && a->max_attempts == b->max_attempts &&
           a->retry_backoff_seconds == b->retry_backoff_seconds && a->timeout_seconds == b->timeout_seconds &&
           streq(a->script, b->script) && streq(a->working_dir, b->working_dir) &&
           streq(a->run_user, b->run_user) && same_names(a->depends_on, b->depends_on);
}

static void set_state(struct task *task, enum task_state state)
{
    static const char *const names[] = {[TASK_PENDING] = "pending",
                                        [TASK_RUNNING] = "running",
                                        [TASK_SUCCEEDED] = "succeeded",
                                        [TASK_DELAYED] = "delayed",
                                        [TASK_FAILED] = "failed"};
    if (task->state == state)
        return;
    log_debug("task '%s': %s -> %s", task->definition.name, names[task->state], names[state]);
    task->state = state;
}

static void define(struct task *task, struct task_definition *definition)
{
    bool known = task->definition.name != NULL;
    bool changed = !known || !same_definition(&task->definition, definition);
    if (task->state == TASK_FAILED && (changed || task->problem)) {
        set_state(task, TASK_PENDING);
        task->attempts = 0;
    }
    if (!known || !same_schedule(&task->definition, definition)) {
        task->asked = false;
        task->anchor = 0;
    }
    free(task->problem);
    task->problem = NULL;
    task->present = true;
    task->announced = task->announced && !changed;
    task_definition_clear(&task->definition);
    task->definition = *definition;
    *definition = (struct task_definition){0};
}

/* Plans the next run of each task; those that can never run have failed. */
static void settle(const struct plan *plan, uint64_t now)
{
    for (size_t i = 0; i < plan->n_tasks; i++) {
        struct task *task = plan->tasks[i];
        if (task->present && !task->problem) {
            schedule_arm(plan, task, now);
            continue;
        }
        task->asked = task->asked_by_hand = false;
        task->due = UINT64_MAX;
        task->next = 0;
        task->anchor = 0;
        if (task->problem && (task->state == TASK_PENDING || task->state == TASK_DELAYED))
            set_state(task, TASK_FAILED);
    }
}

void plan_update(struct plan *plan, struct task_definition *definitions, size_t n, uint64_t now)
{
    for (size_t i = 0; i < plan->n_tasks; i++)
        plan->tasks[i]->present = false;
    struct task **tasks = xcalloc(n + plan->n_tasks, sizeof *tasks);
    size_t n_tasks = 0;
    for (size_t i = 0; i < n; i++) {
        struct task *task = find(plan, definitions[i].name) ?: xcalloc(1, sizeof *task);
        define(task, &definitions[i]);
        if (task->definition.trigger == TRIGGER_CRON)
            schedule_define(plan, task);
        tasks[n_tasks++] = task;
    }
    for (size_t i = 0; i < plan->n_tasks; i++)
        if (!plan->tasks[i]->present)
            tasks[n_tasks++] = plan->tasks[i];
    free(plan->tasks);
    plan->tasks = tasks;
    plan->n_tasks = n_tasks;
    depends_check(plan);
    settle(plan, now);
}

/* Reports whether the task starts at 'due' at the latest without a further event. */
static bool waits_for_time(const struct plan *plan, const struct task *task)
{
    return task->present && !task->problem && (task->asked || task->state == TASK_DELAYED) &&
           !depends_waits_for(plan, task);
}

struct task *plan_next(const struct plan *plan, uint64_t now)
{
    for (size_t i = 0; i < plan->n_tasks; i++) {
        struct task *task = plan->tasks[i];
        if (task->state == TASK_RUNNING)
            continue;
        if (task->asked_by_hand || (waits_for_time(plan, task) && (task->asked || task->due <= now)))
            return task;
    }
    return NULL;
}

uint64_t plan_wakeup(const struct plan *plan)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < plan->n_tasks; i++) {
        const struct task *task = plan->tasks[i];
        if (task->state == TASK_RUNNING || !task->present)
            continue;
        bool rests = !task->asked && task->state != TASK_DELAYED;
        uint64_t due = task->asked ? 0 : task->due;
        if (due < first && (rests || waits_for_time(plan, task)))
            first = due;
    }
    return first;
}

struct task *plan_find_pid(const struct plan *plan, pid_t pid)
{
    for (size_t i = 0; i < plan->n_tasks; i++)
        if (plan->tasks[i]->state == TASK_RUNNING && plan->tasks[i]->pid == pid)
            return plan->tasks[i];
    return NULL;
}

bool plan_ask(struct task *task)
{
    task->asked_by_hand |= !task->problem;
    return !task->problem;
}

static int64_t unix_msec(const struct plan *plan, uint64_t now)
{
    return ((int64_t)now + plan->wall_offset) / (int64_t)USEC_PER_MSEC;
}

void plan_began(const struct plan *plan, struct task *task, pid_t pid, uint64_t now)
{
    /* A run by hand of a task that waits for its run or for a retry is this run. */
    task->runs_by_hand = task->asked_by_hand && !task->asked && task->state != TASK_DELAYED;
    task->asked = task->asked_by_hand = false;
    task->before = task->state;
    set_state(task, TASK_RUNNING);
    task->pid = pid;
    task->begun = now;
    task->due = UINT64_MAX;
    task->next = 0;
    task->started = unix_msec(plan, now);
    task->runs++;
    if (!task->runs_by_hand)
        task->attempts++;
    set_string(&task->reason, NULL);
    task->ending = NULL;
    task->kill_at = UINT64_MAX;
}

/* Reports whether a failed run has another attempt. */
static bool has_attempt(const struct task *task, bool on_probation)
{
    uint32_t limit = task->definition.max_attempts;
    if (!task->present || task->problem || task->runs_by_hand)
        return false;
    if (limit > 0)
        return task->attempts < limit;
    return task->definition.trigger == TRIGGER_ON_STARTUP && !on_probation;
}

enum task_verdict plan_ended(const struct plan *plan, struct task *task, int exit_code, uint64_t now)
{
    bool is_startup = task->definition.trigger == TRIGGER_ON_STARTUP;
    bool on_probation = is_startup && now < plan->probation_end;
    task->pid = 0;
    task->over = now;
    task->finished = unix_msec(plan, now);
    task->exit_code = task->ending && exit_code == 0 ? ENDED_EXIT_CODE : exit_code;
    task->kill_at = UINT64_MAX;
    if (task->exit_code == 0) {
        set_state(task, TASK_SUCCEEDED);
        schedule_arm(plan, task, now);
        return VERDICT_DONE;
    }
    if (is_startup && now - task->begun >= HELD_USEC)
        task->attempts = 1;
    if (has_attempt(task, on_probation)) {
        uint32_t seconds = task->definition.retry_backoff_seconds ?: RETRY_SECONDS;
        set_state(task, TASK_DELAYED);
        task->due = now + seconds * USEC_PER_SEC;
        task->next = unix_msec(plan, task->due);
        return VERDICT_AGAIN;
    }
    /* Neither the tasks that depend on it nor the deploy shall fail by an attempt of an administrator. */
    set_state(task, task->runs_by_hand ? task->before : TASK_FAILED);
    if (task->present && !task->problem)
        schedule_arm(plan, task, now);
    return on_probation && task->present && !task->runs_by_hand ? VERDICT_FATAL : VERDICT_GIVEN_UP;
}

void plan_clear(struct plan *plan)
{
    for (size_t i = 0; i < plan->n_tasks; i++) {
        task_definition_clear(&plan->tasks[i]->definition);
        free(plan->tasks[i]->problem);
        free(plan->tasks[i]->reason);
        free(plan->tasks[i]);
    }
    free(plan->tasks);
    *plan = (struct plan){0};
}
