/* Implements main_task.h. */
#include "inagent/main_task.h"

#include <signal.h>

#include "inagent/ending.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

/* Returns the task with ready = "notify" of the present specification, or NULL. */
static const struct task *notifying(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_tasks; i++)
        if (plan->tasks[i]->present && plan->tasks[i]->definition.notify)
            return plan->tasks[i];
    return NULL;
}

const char *main_task_address(struct main_task *m, const struct plan *plan, const struct task *task)
{
    struct error e = ERROR_INIT;
    if (task != notifying(plan))
        return NULL;
    if (m->socket.fd < 0 && notify_socket_open(&m->socket, &e) < 0) {
        log_error("task '%s': %s: it cannot report that it is ready", task->definition.name, e.message);
        return NULL;
    }
    return m->socket.address;
}

void main_task_began(struct main_task *m, struct task *task, const char *address)
{
    if (!address)
        return;
    m->task = task;
    m->shell = task->pid;
    m->main_pid = 0;
    m->socket.reported = false;
    notify_state_began(&m->state, task->definition.watchdog_seconds * USEC_PER_SEC);
}

char *main_task_ended(struct main_task *m, const struct task *task, int *exit_code)
{
    if (task != m->task || m->shell == 0)
        return NULL;
    m->shell = m->main_pid = 0;
    return notify_state_ended(&m->state, exit_code);
}

static void apply(struct main_task *m, const struct notify_message *message, struct plan *plan, uint64_t now)
{
    const char *name = m->task->definition.name;
    if (message->main_pid > 0 && notify_belongs(message->main_pid, m->shell))
        m->main_pid = message->main_pid;
    if (notify_state_apply(&m->state, message, now)) {
        log_info("task '%s' is ready after %.1f s", name,
                 (double)(now - m->task->begun) / (double)USEC_PER_SEC);
        if (plan->probation_end > now)
            plan->probation_end = now;
    } else if (!m->state.ready && now < plan->probation_end &&
               m->state.extended_until > plan->probation_end) {
        plan->probation_end = m->state.extended_until;
    }
    if (message->reloading || message->stopping)
        log_info("task '%s' is %s", name, message->stopping ? "stopping" : "reloading");
}

void main_task_read(struct main_task *m, struct plan *plan, uint64_t now)
{
    struct notify_message message;
    while (notify_socket_read(&m->socket, m->shell, now, &message))
        apply(m, &message, plan, now);
}

void main_task_tick(struct main_task *m, uint64_t now)
{
    if (!notify_state_expires(&m->state, now))
        return;
    ending_abort(m->task, "missed its watchdog", now);
    if (m->main_pid > 0 && notify_belongs(m->main_pid, m->shell)) /* it can have left the session */
        kill(m->main_pid, SIGABRT);
}

uint64_t main_task_read_wakeup(const struct main_task *m)
{
    return notify_socket_wakeup(&m->socket);
}

uint64_t main_task_tick_wakeup(const struct main_task *m)
{
    return notify_state_wakeup(&m->state);
}

int main_task_fd(const struct main_task *m)
{
    return notify_socket_fd(&m->socket);
}

/* Returns the only startup task that runs, or NULL. */
static const struct task *only_running(const struct plan *plan)
{
    const struct task *found = NULL;
    for (size_t i = 0; i < plan->n_tasks; i++) {
        const struct task *task = plan->tasks[i];
        if (task->state != TASK_RUNNING || task->definition.trigger != TRIGGER_ON_STARTUP)
            continue;
        if (found)
            return NULL;
        found = task;
    }
    return found;
}

void main_task_signal(struct main_task *m, const struct plan *plan, int number)
{
    const struct task *task = notifying(plan) ?: only_running(plan);
    pid_t pid = task && task->state == TASK_RUNNING ? task->pid : 0;
    if (pid > 0 && pid == m->shell && m->main_pid > 0 && notify_belongs(m->main_pid, m->shell))
        pid = m->main_pid;
    if (pid > 0 && kill(pid, number) == 0) {
        m->undelivered = false;
        return;
    }
    if (!m->undelivered)
        log_notice(
            "signal %d is for no task: none has ready = \"notify\" and runs, nor is there one startup task "
            "alone that runs; further ones are not logged",
            number);
    m->undelivered = true;
}

void main_task_close(struct main_task *m)
{
    notify_socket_close(&m->socket);
}
