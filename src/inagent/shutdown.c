/* Implements shutdown.h. It works only as process 1: kill(-1) then means the whole container. */
#include "inagent/shutdown.h"

#include <signal.h>

#include "inagent/run.h"
#include "inagent/state_file.h"
#include "lib/basic/log.h"

/* The contract's time limit of each on_shutdown task. */
#define TASK_USEC (5 * USEC_PER_SEC)
/* SIGKILL is sent KILL_BEFORE before the stop timeout ends, and SIGTERM ASK_BEFORE before SIGKILL, so that
 * processes have time to exit. With a short stop timeout both times are shorter: see shutdown_begin(). */
#define KILL_BEFORE_USEC (1 * USEC_PER_SEC)
#define ASK_BEFORE_USEC  (2 * USEC_PER_SEC)

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void set_phase(struct shutdown *shutdown, enum shutdown_phase phase)
{
    static const char *const names[] = {"running", "on_shutdown tasks", "SIGTERM sent to everything", "over"};
    if (phase != shutdown->phase)
        log_info("stopping: %s", names[phase]);
    shutdown->phase = phase;
}

static void ask_all(struct shutdown *shutdown)
{
    set_phase(shutdown, SHUTDOWN_WAITING);
    kill(-1, SIGTERM);
    kill(-1, SIGCONT); /* a stopped process receives its SIGTERM when it continues */
}

/* Keeps what the task's run was, which is shown after a restart of the container. */
static void note_end(struct shutdown *shutdown, int exit_code)
{
    struct task *task = shutdown->task;
    task->finished = now_realtime_msec();
    task->exit_code = exit_code;
    state_file_write(shutdown->output->files.home, task);
}

static void run_next(struct shutdown *shutdown, uint64_t now)
{
    shutdown->task = NULL;
    shutdown->pid = 0;
    while (now < shutdown->ask_at && shutdown->next < shutdown->plan->n_tasks) {
        struct task *task = shutdown->plan->tasks[shutdown->next++];
        if (!task->present || task->definition.trigger != TRIGGER_ON_SHUTDOWN)
            continue;
        struct error e = ERROR_INIT;
        pid_t pid = run_task(&task->definition, NULL, shutdown->output, &e);
        if (pid < 0) {
            log_error("task '%s': %s", task->definition.name, e.message);
            continue;
        }
        log_info("task '%s' started (process %d)", task->definition.name, (int)pid);
        task->started = now_realtime_msec();
        task->runs++;
        state_file_write(shutdown->output->files.home, task);
        shutdown->task = task;
        shutdown->pid = pid;
        shutdown->task_deadline = smaller(now + TASK_USEC, shutdown->ask_at);
        return;
    }
    ask_all(shutdown);
}

void shutdown_begin(struct shutdown *shutdown, const struct plan *plan, struct output *output, int exit_code,
                    uint64_t timeout, uint64_t now)
{
    if (shutdown->phase != SHUTDOWN_NOT)
        return;
    /* A timeout of at most twice KILL_BEFORE is halved: SIGKILL is sent in its middle. SIGTERM is sent in the
     * middle of the time until SIGKILL at the earliest. */
    uint64_t patience = timeout > 2 * KILL_BEFORE_USEC ? timeout - KILL_BEFORE_USEC : timeout / 2;
    shutdown->kill_at = now + patience;
    shutdown->ask_at = shutdown->kill_at - smaller(ASK_BEFORE_USEC, patience / 2);
    shutdown->exit_code = exit_code;
    shutdown->plan = plan;
    shutdown->output = output;
    set_phase(shutdown, SHUTDOWN_TASKS);
    run_next(shutdown, now);
}

void shutdown_abandon(struct shutdown *shutdown, int exit_code, uint64_t now)
{
    if (shutdown->phase != SHUTDOWN_NOT)
        return;
    shutdown->exit_code = exit_code;
    shutdown->kill_at = now + ASK_BEFORE_USEC;
    ask_all(shutdown);
}

void shutdown_ended(struct shutdown *shutdown, pid_t pid, int exit_code, uint64_t now)
{
    if (shutdown->phase != SHUTDOWN_TASKS || pid != shutdown->pid)
        return;
    output_ended(shutdown->output, shutdown->task->definition.name);
    note_end(shutdown, exit_code);
    if (exit_code == 0)
        log_info("task '%s' succeeded", shutdown->task->definition.name);
    else
        log_warning("task '%s' failed with exit code %d", shutdown->task->definition.name, exit_code);
    run_next(shutdown, now);
}

void shutdown_alone(struct shutdown *shutdown)
{
    if (shutdown->phase == SHUTDOWN_WAITING)
        set_phase(shutdown, SHUTDOWN_OVER);
}

void shutdown_tick(struct shutdown *shutdown, uint64_t now)
{
    if (shutdown->phase == SHUTDOWN_TASKS && now >= shutdown->task_deadline) {
        log_warning("task '%s' takes too long: killed", shutdown->task->definition.name);
        kill(-shutdown->pid, SIGKILL);
        note_end(shutdown, 128 + SIGKILL);
        run_next(shutdown, now);
    }
    if (shutdown->phase == SHUTDOWN_WAITING && now >= shutdown->kill_at) {
        log_warning("processes are left after SIGTERM: killed");
        kill(-1, SIGKILL);
        set_phase(shutdown, SHUTDOWN_OVER);
    }
}

uint64_t shutdown_wakeup(const struct shutdown *shutdown)
{
    switch (shutdown->phase) {
    case SHUTDOWN_TASKS:
        return shutdown->task_deadline;
    case SHUTDOWN_WAITING:
        return shutdown->kill_at;
    default:
        return UINT64_MAX;
    }
}
