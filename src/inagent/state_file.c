/* Implements state_file.h. The application controls the directory: no name in it is followed, and every file
 * is made anew. */
#include "inagent/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inagent/home.h"
#include "inagent/task_state.h"
#include "inagent/users.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/logs/label.h"

#define STATE_MAX ((size_t)16 << 10) /* bytes */

#define NAME_SIZE (LOG_LABEL_SIZE + sizeof "..json.new")

static void make_names(const struct task *task, char ret[NAME_SIZE], char ret_temporary[NAME_SIZE])
{
    char label[LOG_LABEL_SIZE];
    log_label(task->definition.name, true, label);
    (void)snprintf(ret, NAME_SIZE, "%s.json", label);
    (void)snprintf(ret_temporary, NAME_SIZE, ".%s.json.new", label);
}

/* Reads a file; −ENOENT: there is none. */
static int read_file(int dir, const char *name, char **ret, size_t *ret_size, struct error *e)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    /* A device can act when it is opened. */
    if (!S_ISREG(st.st_mode))
        return error_refuse(e, EINVAL, "it is no regular file");
    return read_file_at(dir, name, STATE_MAX, ret, ret_size, e);
}

void state_files_read(const char *home, struct plan *plan)
{
    _cleanup_close_ int dir = home_directory(home, "var/log");
    for (size_t i = 0; i < plan->n_tasks; i++) {
        struct task *task = plan->tasks[i];
        if (task->restored)
            continue;
        task->restored = true;
        char name[NAME_SIZE], temporary[NAME_SIZE];
        make_names(task, name, temporary);
        _cleanup_free_ char *data = NULL;
        size_t size;
        struct error e = ERROR_INIT;
        int r = dir < 0 ? -ENOENT : read_file(dir, name, &data, &size, &e);
        if (r >= 0)
            r = task_state_parse(data, size, task, &e);
        if (r < 0 && r != -ENOENT)
            log_warning("task '%s': cannot read '%s/var/log/%s': %s; its earlier runs are not known",
                        task->definition.name, home, name, e.message);
    }
}

static int write_file(int dir, const char *name, const char *temporary, const char *text)
{
    if (unlinkat(dir, temporary, 0) < 0 && errno != ENOENT)
        (void)unlinkat(dir, temporary, AT_REMOVEDIR);
    _cleanup_close_ int fd =
        openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    int r = fd < 0 ? -errno : write_all(fd, text, strlen(text));
    if (r >= 0)
        (void)!fchown(fd, (uid_t)-1, ACTION_ID); /* without the right, only root reads it */
    if (r >= 0 && renameat(dir, temporary, dir, name) < 0)
        r = -errno;
    if (r < 0 && fd >= 0)
        (void)unlinkat(dir, temporary, 0);
    return r;
}

void state_file_write(const char *home, const struct task *task)
{
    static bool failing;
    char name[NAME_SIZE], temporary[NAME_SIZE];
    make_names(task, name, temporary);
    _cleanup_free_ char *text = task_state_format(task);
    _cleanup_close_ int dir = home_directory(home, "var/log");
    int r = dir < 0 ? -errno : write_file(dir, name, temporary, text);
    if (r < 0 && !failing)
        log_warning("task '%s': cannot write '%s/var/log/%s': %s; after a restart its runs are not known",
                    task->definition.name, home, name, strerrordesc_np(-r));
    failing = r < 0;
}
