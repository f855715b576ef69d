/* Implements ending.h.
 *
 * A task is a session, since its shell calls setsid(). Its processes can be in several process groups (a
 * shell with job control makes them), so that one kill() does not reach all of them: the other ones are found
 * in /proc. A process that has made a session of its own is a service, which continues when its task has
 * ended. */
#include "inagent/ending.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

#define GRACE_USEC (5 * USEC_PER_SEC)
#define DUMP_USEC  (10 * USEC_PER_SEC)
/* A process can fork between two looks at /proc; a fork bomb can do so every time. */
#define PASSES 20

/* Reports whether the process, a name in /proc, belongs to the session and has not exited. */
static bool is_member(int proc, const char *name, pid_t session)
{
    char path[32], text[512];
    if (!isdigit((unsigned char)name[0]) || snprintf(path, sizeof path, "%s/stat", name) >= (int)sizeof path)
        return false;
    _cleanup_close_ int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    /* "PID (NAME) STATE PARENT GROUP SESSION …"; the name can contain anything. */
    const char *rest = strrchr(text, ')');
    char state;
    int parent, group, found;
    return rest && sscanf(rest, ") %c %d %d %d", &state, &parent, &group, &found) == 4 && found == session &&
           state != 'Z' && state != 'X';
}

/* Sends the signal to every process of the session that is in another process group. Returns their number. */
static unsigned signal_others(pid_t session, int number)
{
    unsigned n = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (!is_member(dirfd(proc), entry->d_name, session) || (number != SIGKILL && getpgid(pid) == session))
            continue;
        n += kill(pid, number) == 0;
        if (number != SIGKILL)
            kill(pid, SIGCONT);
    }
    closedir(proc);
    return n;
}

static void kill_session(pid_t session)
{
    kill(-session, SIGKILL);
    for (int i = 0; i < PASSES && signal_others(session, SIGKILL) > 0; i++)
        continue;
}

static void begin(struct task *task, const char *why, int number, uint64_t kill_at)
{
    if (task->state != TASK_RUNNING || task->ending)
        return;
    log_warning("task '%s' %s: it is ended", task->definition.name, why);
    task->ending = why;
    task->kill_at = kill_at;
    kill(-task->pid, number);
    kill(-task->pid, SIGCONT); /* a stopped process receives the signal when it continues */
    signal_others(task->pid, number);
}

void ending_begin(struct task *task, const char *why, uint64_t now)
{
    begin(task, why, SIGTERM, now + GRACE_USEC);
}

void ending_abort(struct task *task, const char *why, uint64_t now)
{
    begin(task, why, SIGABRT, now + DUMP_USEC);
}

static uint64_t limit_of(const struct task *task)
{
    if (task->state != TASK_RUNNING)
        return UINT64_MAX;
    if (task->ending)
        return task->kill_at;
    uint32_t seconds = task->definition.timeout_seconds;
    return seconds > 0 ? task->begun + seconds * USEC_PER_SEC : UINT64_MAX;
}

void ending_tick(const struct plan *plan, uint64_t now)
{
    for (size_t i = 0; i < plan->n_tasks; i++) {
        struct task *task = plan->tasks[i];
        if (limit_of(task) > now)
            continue;
        if (!task->ending) {
            ending_begin(task, "has reached its time limit", now);
            continue;
        }
        log_warning("task '%s' is killed, since the signal has not ended it", task->definition.name);
        task->kill_at = UINT64_MAX;
        kill_session(task->pid);
    }
}

uint64_t ending_wakeup(const struct plan *plan)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < plan->n_tasks; i++) {
        uint64_t limit = limit_of(plan->tasks[i]);
        first = limit < first ? limit : first;
    }
    return first;
}

void ending_over(const struct task *task, pid_t pid)
{
    if (task->ending)
        kill_session(pid);
}
