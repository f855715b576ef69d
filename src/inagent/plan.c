/* Implements plan.h. */
#include "inagent/plan.h"

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/basic/util.h"

/* Delay after a failure without retry_backoff_seconds, as in the original agent. */
#define RETRY_SECONDS 10
/* A run of at least this length is not a failed start: max_attempts counts from one again. */
#define HELD_USEC (60 * USEC_PER_SEC)

static struct task *find(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->n_tasks; i++)
        if (streq(plan->tasks[i]->definition.name, name))
            return plan->tasks[i];
    return NULL;
}

static struct task *find_present(const struct plan *plan, const char *name)
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

static bool same_definition(const struct task_definition *a, const struct task_definition *b)
{
    return a->trigger == b->trigger && a->max_attempts == b->max_attempts &&
           a->retry_backoff_seconds == b->retry_backoff_seconds && streq(a->script, b->script) &&
           streq(a->working_dir, b->working_dir) && streq(a->run_user, b->run_user) &&
           same_names(a->depends_on, b->depends_on);
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
    bool changed = !task->definition.name || !same_definition(&task->definition, definition);
    if (task->state == TASK_FAILED && (changed || task->problem)) {
        set_state(task, TASK_PENDING);
        task->attempts = 0;
    }
    free(task->problem);
    task->problem = NULL;
    task->present = true;
    task->announced = task->announced && !changed;
    task_definition_clear(&task->definition);
    task->definition = *definition;
    *definition = (struct task_definition){0};
}

/* Sets a problem for a task that can never start: the names that it depends on must exist and belong to
 * tasks that can succeed. */
static void check_names(const struct plan *plan, struct task *task)
{
    for (char **name = task->definition.depends_on; *name && !task->problem; name++) {
        const struct task *other = find_present(plan, *name);
        if (!other)
            task->problem = xasprintf("depends_on names '%s', which is no task of this application", *name);
        else if (other->definition.trigger == TRIGGER_ON_SHUTDOWN ||
                 other->definition.trigger == TRIGGER_NONE)
            task->problem = xasprintf("depends_on names '%s', which is not run before shutdown", *name);
    }
}

/* Returns the first dependency of 'task' that is not marked in 'possible' (parallel to plan->tasks), or
 * NULL. */
static const char *impossible_dependency(const struct plan *plan, const struct task *task,
                                         const bool *possible)
{
    for (char **name = task->definition.depends_on; *name; name++)
        for (size_t i = 0; i < plan->n_tasks; i++)
            if (!possible[i] && plan->tasks[i]->present && streq(plan->tasks[i]->definition.name, *name))
                return *name;
    return NULL;
}

/* Finds cycles: a task that is not possible when no further task can be marked is part of a cycle or
 * depends on one. */
static void check_circles(const struct plan *plan)
{
    _cleanup_free_ bool *possible = xcalloc(plan->n_tasks, sizeof *possible);
    for (bool grown = true; grown;) {
        grown = false;
        for (size_t i = 0; i < plan->n_tasks; i++) {
            struct task *task = plan->tasks[i];
            if (possible[i] || task->problem || impossible_dependency(plan, task, possible))
                continue;
            possible[i] = grown = true;
        }
    }
    for (size_t i = 0; i < plan->n_tasks; i++) {
        struct task *task = plan->tasks[i];
        if (task->present && !possible[i] && !task->problem)
            task->problem =
                xasprintf("depends_on names '%s', which can never succeed (a cycle, or its own error)",
                          impossible_dependency(plan, task, possible));
    }
}

static void check(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_tasks; i++)
        if (plan->tasks[i]->present)
            check_names(plan, plan->tasks[i]);
    check_circles(plan);
    for (size_t i = 0; i < plan->n_tasks; i++) {
        struct task *task = plan->tasks[i];
        if (task->problem && (task->state == TASK_PENDING || task->state == TASK_DELAYED))
            set_state(task, TASK_FAILED);
    }
}

void plan_update(struct plan *plan, struct task_definition *definitions, size_t n)
{
    for (size_t i = 0; i < plan->n_tasks; i++)
        plan->tasks[i]->present = false;
    struct task **tasks = xcalloc(n + plan->n_tasks, sizeof *tasks);
    size_t n_tasks = 0;
    for (size_t i = 0; i < n; i++) {
        struct task *task = find(plan, definitions[i].name) ?: xcalloc(1, sizeof *task);
        define(task, &definitions[i]);
        tasks[n_tasks++] = task;
    }
    for (size_t i = 0; i < plan->n_tasks; i++)
        if (!plan->tasks[i]->present)
            tasks[n_tasks++] = plan->tasks[i];
    free(plan->tasks);
    plan->tasks = tasks;
    plan->n_tasks = n_tasks;
    check(plan);
}

const struct task *plan_waits_for(const struct plan *plan, const struct task *task)
{
    for (char **name = task->definition.depends_on; *name; name++) {
        const struct task *other = find_present(plan, *name);
        if (other && other->state != TASK_SUCCEEDED)
            return other;
    }
    return NULL;
}

/* Reports whether the task starts by 'due' at the latest without a further event. */
static bool waits_for_time(const struct plan *plan, const struct task *task)
{
    return task->present && task->definition.trigger == TRIGGER_ON_STARTUP &&
           (task->state == TASK_PENDING || task->state == TASK_DELAYED) && !plan_waits_for(plan, task);
}

struct task *plan_next(const struct plan *plan, uint64_t now)
{
    for (size_t i = 0; i < plan->n_tasks; i++) {
        struct task *task = plan->tasks[i];
        if (waits_for_time(plan, task) && (task->state == TASK_PENDING || task->due <= now))
            return task;
    }
    return NULL;
}

uint64_t plan_wakeup(const struct plan *plan)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < plan->n_tasks; i++) {
        const struct task *task = plan->tasks[i];
        if (waits_for_time(plan, task) && task->due < first)
            first = task->due;
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

void plan_began(struct task *task, pid_t pid, uint64_t now)
{
    set_state(task, TASK_RUNNING);
    task->pid = pid;
    task->begun = now;
    task->attempts++;
}

enum task_verdict plan_ended(const struct plan *plan, struct task *task, int exit_code, uint64_t now)
{
    const struct task_definition *definition = &task->definition;
    task->pid = 0;
    if (exit_code == 0) {
        set_state(task, TASK_SUCCEEDED);
        return VERDICT_DONE;
    }
    if (now - task->begun >= HELD_USEC)
        task->attempts = 1;
    bool on_probation = now<plan->probation_end, limited = definition->max_attempts> 0;
    bool again = limited ? task->attempts < definition->max_attempts : !on_probation;
    if (again && task->present && !task->problem) {
        uint32_t seconds = definition->retry_backoff_seconds ?: RETRY_SECONDS;
        set_state(task, TASK_DELAYED);
        task->due = now + seconds * USEC_PER_SEC;
        return VERDICT_AGAIN;
    }
    set_state(task, TASK_FAILED);
    return on_probation && task->present ? VERDICT_FATAL : VERDICT_GIVEN_UP;
}

void plan_clear(struct plan *plan)
{
    for (size_t i = 0; i < plan->n_tasks; i++) {
        task_definition_clear(&plan->tasks[i]->definition);
        free(plan->tasks[i]->problem);
        free(plan->tasks[i]);
    }
    free(plan->tasks);
    *plan = (struct plan){0};
}
