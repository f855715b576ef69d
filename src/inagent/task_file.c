/* Implements task_file.h.
 *
 * The application controls the directory, and can put anything in the place of a file. So every name is
 * opened through its parent's descriptor, symbolic links are never followed, and only a regular file with one
 * name that this user made is continued: a hard link to another file of the container's root has two names.
 * Anything else is renamed like a full file. */
#include "inagent/task_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inagent/home.h"
#include "inagent/users.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/logs/label.h"

#define RETRY_USEC (10 * USEC_PER_SEC)

struct task_file {
    struct task_file *next;
    char *task;
    unsigned users;
    int fd;       /* −1: not open */
    bool failing; /* the last attempt failed, which was logged */
    uint64_t due; /* time of the next attempt */
    char name[LOG_LABEL_SIZE + sizeof ".log"];
};

struct task_file *task_file_use(struct task_files *files, const char *task)
{
    struct task_file **at = &files->first;
    while (*at && !streq((*at)->task, task))
        at = &(*at)->next;
    if (!*at) {
        char label[LOG_LABEL_SIZE];
        log_label(task, true, label);
        *at = xcalloc(1, sizeof **at);
        **at = (struct task_file){.task = xstrdup(task), .fd = -1};
        snprintf((*at)->name, sizeof(*at)->name, "%s.log", label);
    }
    (*at)->users++;
    return *at;
}

void task_file_release(struct task_file *file)
{
    if (--file->users == 0)
        file->fd = close_fd(file->fd);
}

/* Reports whether 'size' bytes can be appended to the file: not to one that is full or was deleted. */
static bool accepts(int fd, size_t size)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid() &&
           st.st_size <= (off_t)(TASK_FILE_MAX - size);
}

/* Opens a file that an earlier run made and that has room. Returns −1 for everything else. */
static int open_old(int dir, const char *name, size_t size)
{
    struct stat st;
    /* A device can act when it is opened. */
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return -1;
    _cleanup_close_ int fd =
        openat(dir, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    return fd >= 0 && accepts(fd, size) ? TAKE_FD(fd) : -1;
}

/* Renames what has the file's name to the name of the predecessor, or removes it. */
static void put_aside(int dir, const char *name)
{
    char old[sizeof((struct task_file *)0)->name + 2];
    snprintf(old, sizeof old, "%s.1", name);
    if (renameat(dir, name, dir, old) == 0 || errno == ENOENT)
        return;
    (void)unlinkat(dir, old, AT_REMOVEDIR);
    if (renameat(dir, name, dir, old) < 0 && unlinkat(dir, name, 0) < 0)
        (void)unlinkat(dir, name, AT_REMOVEDIR);
}

static int open_file(const struct task_files *files, struct task_file *file, size_t size)
{
    _cleanup_close_ int dir = home_directory(files->home, "var/log");
    if (dir < 0)
        return -errno;
    file->fd = open_old(dir, file->name, size);
    if (file->fd >= 0)
        return 0;
    put_aside(dir, file->name);
    int fd = openat(dir, file->name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    if (fchown(fd, (uid_t)-1, ACTION_ID) < 0)
        log_debug("'%s' is not readable for '" ACTION_NAME "': %s", file->name, strerrordesc_np(errno));
    file->fd = fd;
    return 0;
}

static int append(const struct task_files *files, struct task_file *file, const void *data, size_t size)
{
    if (file->fd >= 0 && !accepts(file->fd, size))
        file->fd = close_fd(file->fd);
    int r = file->fd < 0 ? open_file(files, file, size) : 0;
    return r < 0 ? r : write_all(file->fd, data, size);
}

void task_file_write(struct task_files *files, struct task_file *file, const void *data, size_t size,
                     uint64_t now)
{
    if (file->failing && now < file->due)
        return;
    int r = append(files, file, data, size);
    if (r < 0 && !file->failing)
        log_warning("task '%s': cannot write '%s/var/log/%s': %s; its output is in the container's log alone",
                    file->task, files->home, file->name, strerrordesc_np(-r));
    if (r < 0)
        file->fd = close_fd(file->fd);
    file->failing = r < 0;
    file->due = now + RETRY_USEC;
}

void task_files_clear(struct task_files *files)
{
    while (files->first) {
        struct task_file *file = files->first;
        files->first = file->next;
        close_fd(file->fd);
        free(file->task);
        free(file);
    }
}
