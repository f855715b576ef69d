/* Implements run.h.
 *
 * The contract passes the script on the standard input of "sh", so that every command which reads its own
 * input (ssh, ffmpeg, a stray "read") consumes the rest of the script. Here the script is in a memory file
 * that the shell reads as ". /proc/self/fd/3" and that the script's first command closes; standard input
 * is empty. Unlike "sh FILE" this keeps $0 as "sh", unlike "sh -c SCRIPT" it has no limit of 128 KiB, and
 * line numbers are those of the script. The only difference for an application is that its commands find
 * an empty input instead of the rest of the script. In a container without /proc the memory file is the
 * standard input, as in the contract. Neither way blocks on a script larger than a pipe. */
#include "inagent/run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inagent/users.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"

#define SCRIPT_FD 3

/* A subshell tries pipefail first: a shell without it (dash) would exit. The prologue is on the same line
 * as the script's first line, so that the shell's messages number the lines as the script does. */
static const char prologue[] = "set -e; if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi; ";
static const char close_script[] = "exec 3<&-; ";

/* Writes the script into a memory file with a read position of its own. Returns an fd or a negative errno.
 * The file is readable by every user, since the shell opens it again as its own user. */
static int script_file(const char *script, bool by_path, struct error *e)
{
    _cleanup_close_ int fd = memfd_create("script", MFD_CLOEXEC);
    if (fd < 0)
        return error_os(e, errno, "cannot make a file for the script");
    int r = by_path ? write_all(fd, close_script, strlen(close_script)) : 0;
    if (r == 0)
        r = write_all(fd, prologue, strlen(prologue));
    if (r == 0)
        r = write_all(fd, script, strlen(script));
    if (r == 0)
        r = write_all(fd, "\n", 1);
    if (r < 0)
        return error_os(e, -r, "cannot write the script");
    if (fchmod(fd, 0444) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return error_os(e, errno, "cannot make the script readable");
    return TAKE_FD(fd);
}

static void die(const struct task_definition *task, int code, const char *what, const char *name)
    __attribute__((noreturn));
static void die(const struct task_definition *task, int code, const char *what, const char *name)
{
    log_error("task '%s': cannot %s '%s': %s", task->name, what, name, strerrordesc_np(errno));
    _exit(code);
}

/* Opens an empty input, with or without a /dev. */
static int empty_input(void)
{
    int fd = open("/dev/null", O_RDONLY), ends[2];
    if (fd >= 0 || pipe(ends) < 0)
        return fd;
    close(ends[1]);
    return ends[0];
}

static void become(const struct task_definition *task)
{
    bool root = streq(task->run_user, "root");
    if (!root && *task->run_user && !streq(task->run_user, ACTION_NAME))
        log_warning("task '%s': run_user '%s' is not known here: it runs as " ACTION_NAME " (%d)", task->name,
                    task->run_user, ACTION_ID);
    /* The start has logged that every task runs as this user. */
    if (geteuid() != 0)
        return;
    uid_t id = root ? 0 : ACTION_ID;
    /* Else the user could not open /dev/stdout and /dev/stderr again. */
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fchown(fd, id, (gid_t)-1) < 0)
            break;
    /* Without the capability root keeps its own groups, which give it no further rights; another user must
     * not keep them. */
    if (setgroups(0, NULL) < 0 && !root && getgroups(0, NULL) != 0)
        die(task, 1, "leave the groups to become", ACTION_NAME);
    if (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
        die(task, 1, "become", root ? "root" : ACTION_NAME);
}

/* Sets the variables of sd_notify(3) for the shell, and for the application that replaces it by exec. */
static void set_notify(const struct task_definition *task, const char *address)
{
    char text[32];
    setenv("NOTIFY_SOCKET", address, 1);
    if (task->watchdog_seconds == 0)
        return;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)(task->watchdog_seconds * USEC_PER_SEC));
    setenv("WATCHDOG_USEC", text, 1);
    (void)snprintf(text, sizeof text, "%d", (int)getpid());
    setenv("WATCHDOG_PID", text, 1);
}

static void exec_shell(const struct task_definition *task, const char *home, const int pipes[OUTPUT_STREAMS],
                       int script, bool by_path) __attribute__((noreturn));
static void exec_shell(const struct task_definition *task, const char *home, const int pipes[OUTPUT_STREAMS],
                       int script, bool by_path)
{
    for (int i = 0; i < OUTPUT_STREAMS; i++)
        if (dup2(pipes[i], STDOUT_FILENO + i) < 0)
            _exit(1);
    log_set_writer(NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (by_path) {
        if (script != SCRIPT_FD)
            dup2(script, SCRIPT_FD);
        else
            fcntl(script, F_SETFD, 0);
    }
    int input = by_path ? empty_input() : script;
    if (input < 0 || dup2(input, STDIN_FILENO) < 0)
        die(task, 1, "make the standard input of", "sh");
    if (input != SCRIPT_FD && input != STDIN_FILENO)
        close(input);
    become(task);
    const char *dir = *task->working_dir ? task->working_dir : home;
    if (chdir(dir) < 0)
        die(task, 1, "enter working_dir", dir);
    static const char command[] = ". /proc/self/fd/3";
    char *const by_path_arguments[] = {"sh", "-c", (char *)command, NULL}, *const arguments[] = {"sh", NULL};
    char *const *chosen = by_path ? by_path_arguments : arguments;
    execvp("sh", chosen);
    if (errno == ENOENT || errno == EACCES)
        execv("/bin/sh", chosen);
    die(task, errno == ENOENT ? 127 : 126, "run", "sh");
}

pid_t run_task(const struct task_definition *task, const char *notify, struct output *output, struct error *e)
{
    int pipes[OUTPUT_STREAMS];
    bool by_path = access("/proc/self/fd", X_OK) == 0;
    _cleanup_close_ int script = script_file(task->script, by_path, e);
    if (script < 0)
        return script;
    int r = output_open(output, task->name, pipes, e);
    if (r < 0)
        return r;
    pid_t pid = fork();
    if (pid < 0)
        pid = error_os(e, errno, "cannot fork");
    if (pid == 0) {
        if (notify)
            set_notify(task, notify);
        exec_shell(task, output->files.home, pipes, script, by_path);
    }
    for (int i = 0; i < OUTPUT_STREAMS; i++)
        close(pipes[i]);
    return pid;
}

int run_exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
