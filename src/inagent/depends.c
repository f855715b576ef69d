/* Implements depends.h. */
#include "inagent/depends.h"

#include "inagent/plan.h"
#include "lib/basic/cleanup.h"

static void check_names(const struct plan *plan, struct task *task)
{
    for (char **name = task->definition.depends_on; *name && !task->problem; name++) {
        const struct task *other = plan_find(plan, *name);
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

void depends_check(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_tasks; i++)
        if (plan->tasks[i]->present)
            check_names(plan, plan->tasks[i]);
    check_circles(plan);
}

const struct task *depends_waits_for(const struct plan *plan, const struct task *task)
{
    for (char **name = task->definition.depends_on; *name; name++) {
        const struct task *other = plan_find(plan, *name);
        if (other && (other->state != TASK_SUCCEEDED || other->asked))
            return other;
    }
    return NULL;
}
