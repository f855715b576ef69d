/* Knows the main task: it gives it the socket of sd_notify(3), follows what it reports, ends it when its
 * watchdog expires, and sends it the signals that are not for inagent. */
#pragma once

#include "inagent/notify_socket.h"
#include "inagent/notify_state.h"
#include "inagent/plan.h"

struct main_task {
    struct notify_socket socket;
    struct notify_state state;
    struct task *task; /* whose run 'state' describes; NULL: none has begun */
    pid_t shell;       /* of that run; 0: it has ended */
    pid_t main_pid;    /* what the application stated as MAINPID; 0: nothing */
    bool undelivered;  /* a signal for which there was no process was logged */
};

#define MAIN_TASK_INIT                                                                                       \
    {                                                                                                        \
        .socket = NOTIFY_SOCKET_INIT, .state = NOTIFY_STATE_INIT                                             \
    }

/* Returns NOTIFY_SOCKET for a run of the task, or NULL: it is another task, or has not ready = "notify". */
const char *main_task_address(struct main_task *m, const struct plan *plan, const struct task *task);

/* Handles that a task with an address has begun, and that a task has ended. The latter returns why the run
 * failed, if not for its exit code alone, or NULL; the caller frees it. */
void main_task_began(struct main_task *m, struct task *task, const char *address);
char *main_task_ended(struct main_task *m, const struct task *task, int *exit_code);

/* Reads what the application sent. READY=1 ends the plan's probation. */
void main_task_read(struct main_task *m, struct plan *plan, uint64_t now);

/* Ends the application if its watchdog has expired. */
void main_task_tick(struct main_task *m, uint64_t now);

/* Return when these must be called again without an event (CLOCK_MONOTONIC, microseconds; UINT64_MAX: never),
 * and the descriptor that is such an event. */
uint64_t main_task_read_wakeup(const struct main_task *m);
uint64_t main_task_tick_wakeup(const struct main_task *m);
int main_task_fd(const struct main_task *m);

/* Sends a signal to the process of the main task: the task with ready = "notify", else the only startup task
 * that runs. If there is none, this is logged once. */
void main_task_signal(struct main_task *m, const struct plan *plan, int number);

void main_task_close(struct main_task *m);
