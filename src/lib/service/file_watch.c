/* Implements file_watch.h. */
#include "lib/service/file_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

struct file_watch {
    char *path;
    struct unix_file file;
    int directory_fd, parent_fd, mounts_fd; /* −1: not watched */
    sd_event_source *signal, *mounts;
    file_watch_fn gone;
    void *userdata;
};

bool file_is_at(const struct unix_file *file, const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && st.st_dev == file->device && st.st_ino == file->inode;
}

static void look(struct file_watch *w)
{
    if (!file_is_at(&w->file, w->path))
        w->gone(w->userdata);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    (void)source, (void)si;
    look(userdata);
    return 0;
}

static int on_mounts(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)fd, (void)revents;
    look(userdata);
    return 0;
}

/* Requests the signal for these changes of a directory's names. Returns its descriptor, or a negative
 * errno. */
static int notify(const char *directory, int signal, long changes)
{
    _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fcntl(fd, F_SETSIG, signal) < 0 || fcntl(fd, F_NOTIFY, DN_MULTISHOT | changes) < 0)
        return -errno;
    return TAKE_FD(fd);
}

/* Returns what leads to the last name of 'path'. The caller frees it. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash > path ? xstrndup(path, (size_t)(slash - path)) : xstrdup("/");
}

int file_watch_new(sd_event *event, const char *path, const struct unix_file *file, int signal,
                   file_watch_fn gone, void *userdata, struct file_watch **ret, struct error *e)
{
    struct file_watch *w = xcalloc(1, sizeof *w);
    _cleanup_free_ char *directory = directory_of(path), *parent = directory_of(directory);
    *w = (struct file_watch){
        .path = xstrdup(path), .file = *file, .parent_fd = -1, .gone = gone, .userdata = userdata};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int r = sd_event_add_signal(event, &w->signal, signal, on_signal, w);
    w->directory_fd = notify(directory, signal, DN_CREATE | DN_DELETE | DN_RENAME);
    if (r >= 0 && w->directory_fd < 0)
        r = w->directory_fd;
    /* This user may be unable to read it; then only the names in the directory itself are watched. */
    w->parent_fd = notify(parent, signal, DN_RENAME);
    /* The file is always readable; its change is a condition of its own. */
    w->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (r >= 0 && w->mounts_fd >= 0)
        r = sd_event_add_io(event, &w->mounts, w->mounts_fd, EPOLLPRI, on_mounts, w);
    if (r < 0) {
        file_watch_free(w);
        return error_os(e, -r, "cannot watch the directory '%s'", directory);
    }
    *ret = w;
    return 0;
}

void file_watch_free(struct file_watch *w)
{
    if (!w)
        return;
    sd_event_source_disable_unref(w->signal);
    sd_event_source_disable_unref(w->mounts);
    close_fd(w->directory_fd);
    close_fd(w->parent_fd);
    close_fd(w->mounts_fd);
    free(w->path);
    free(w);
}
