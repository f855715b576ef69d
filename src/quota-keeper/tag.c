/* Giving a project to everything in a directory; see tag.h. */
#include "quota-keeper/tag.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"

#define ROUNDS     10
#define BUFFER     8192 /* bytes: what is read again after each directory below */
#define REOPEN     (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define BEGIN_ANEW (-ESTALE) /* a directory is no longer where it was */

/* A directory on the way down: where to go on when we are back in it. */
struct level {
    dev_t dev;
    ino_t ino;
    off_t position;
};

struct walk {
    const struct kernel *kernel;
    uint32_t project;
    bool look_only;
    int fd; /* of the directory that we are in */
    struct level *levels;
    size_t depth, room;
    struct tag_result result;
    char buffer[BUFFER] __attribute__((aligned(8)));
};

/* As getdents64(2) writes it. */
struct entry {
    uint64_t ino;
    int64_t position; /* of the entry behind it */
    unsigned short size;
    unsigned char type;
    char name[];
};

static struct kernel_tag wanted(const struct walk *w, bool directory)
{
    return (struct kernel_tag){w->project, directory && w->project != 0};
}

static int tag_one(struct walk *w, int fd, bool directory)
{
    struct kernel_tag is, shall = wanted(w, directory);
    int r = w->kernel->read_tag(w->kernel, fd, &is);
    if (r < 0)
        return r;
    bool right = is.project == shall.project && (!directory || is.inherit == shall.inherit);
    if (!right && w->look_only) {
        w->result.skipped++;
        w->result.entries += is.project == shall.project;
        return 0;
    }
    if (!right) {
        r = w->kernel->write_tag(w->kernel, fd, &shall);
        if (r < 0)
            return r;
        w->result.changed++;
        if (failpoint("tag.entry") < 0)
            return -EIO;
    }
    w->result.entries++;
    return 0;
}

/* What a tenant can do to his own files to keep us from one: it is counted, and not an error of the whole. */
static bool is_theirs(int r)
{
    return r == -ENOENT || r == -ELOOP || r == -EAGAIN || r == -ETXTBSY || r == -EPERM || r == -EACCES ||
           r == -ENXIO || r == -EINTR;
}

/* Opens an entry: a descriptor that can be asked for its project, −ENOTSUP for what is neither file nor directory. */
static int open_entry(int dir, const char *name, struct stat *ret)
{
    struct stat st;
    char link[64];
    _cleanup_close_ int path = open_beneath(dir, name, O_PATH, 0, NULL);
    if (path < 0)
        return path;
    if (fstat(path, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return -ENOTSUP;
    snprintf(link, sizeof link, "/proc/self/fd/%d", path);
    int fd = open(link, REOPEN | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = open(link, REOPEN);
    *ret = st;
    return fd < 0 ? -errno : fd;
}

/* Into the directory 'fd' (taken), whose place in the present one is remembered. */
static int go_down(struct walk *w, int fd, off_t position)
{
    struct stat st;
    if (fstat(w->fd, &st) < 0) {
        close_fd(fd);
        return -errno;
    }
    if (w->depth == w->room) {
        w->room = w->room ? w->room * 2 : 32;
        w->levels = xrealloc(w->levels, w->room, sizeof *w->levels);
    }
    w->levels[w->depth++] = (struct level){st.st_dev, st.st_ino, position};
    close_fd(w->fd);
    w->fd = fd;
    return 0;
}

static int go_up(struct walk *w)
{
    struct level *level = &w->levels[--w->depth];
    struct stat st;
    _cleanup_close_ int up = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (up < 0 || fstat(up, &st) < 0)
        return errno == ENOENT ? BEGIN_ANEW : -errno;
    if (st.st_dev != level->dev || st.st_ino != level->ino)
        return BEGIN_ANEW;
    if (lseek(up, level->position, SEEK_SET) < 0)
        return -errno;
    close_fd(w->fd);
    w->fd = TAKE_FD(up);
    return 0;
}

/* One entry. 1: we are in another directory now. */
static int visit(struct walk *w, const struct entry *entry)
{
    struct stat st = {0};
    if (streq(entry->name, ".") || streq(entry->name, ".."))
        return 0;
    _cleanup_close_ int fd = open_entry(w->fd, entry->name, &st);
    bool directory = S_ISDIR(st.st_mode);
    int64_t before = w->result.entries;
    if (fd == -ENOTSUP) {
        w->result.unseen++;
        return 0;
    }
    int r = fd < 0 ? fd : tag_one(w, fd, directory);
    if (r == -EXDEV || is_theirs(r)) {
        w->result.skipped += r != -ENOENT;
        if (fd < 0 || !directory)
            return 0;
    } else if (r < 0) {
        return r;
    }
    if (!directory) {
        if (st.st_nlink > 1) { /* we shall meet it again */
            w->result.unseen += w->result.entries - before;
            w->result.entries = before;
        }
        return 0;
    }
    r = go_down(w, TAKE_FD(fd), (off_t)entry->position);
    return r < 0 ? r : 1;
}

/* Everything below the directory that we are in, which comes back to it. */
static int walk_all(struct walk *w)
{
    for (;;) {
        long n = syscall(SYS_getdents64, w->fd, w->buffer, sizeof w->buffer);
        if (n < 0 && errno != ENOENT) /* ENOENT: it was removed under our feet */
            return -errno;
        if (n <= 0) {
            if (w->depth == 0)
                return 0;
            int r = go_up(w);
            if (r < 0)
                return r;
            continue;
        }
        int r = 0;
        for (long at = 0; at < n && r == 0;) {
            const struct entry *entry = (const struct entry *)(w->buffer + at);
            at += entry->size;
            r = visit(w, entry);
        }
        if (r < 0)
            return r;
    }
}

static int walk_once(struct walk *w, int top)
{
    w->result = (struct tag_result){0};
    w->depth = 0;
    w->fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = w->fd < 0 ? -errno : walk_all(w);
    w->fd = close_fd(w->fd);
    if (r >= 0 && failpoint("tag.contents") < 0)
        r = -EIO;
    return r < 0 ? r : tag_one(w, top, true);
}

static int run(const struct kernel *kernel, int fd, uint32_t project, bool look_only, struct tag_result *ret,
               struct error *e)
{
    struct walk *w = xcalloc(1, sizeof *w);
    *w = (struct walk){.kernel = kernel, .project = project, .look_only = look_only, .fd = -1};
    int64_t changed = 0;
    int r = BEGIN_ANEW;
    for (int i = 0; i < ROUNDS && r == BEGIN_ANEW; i++) {
        r = walk_once(w, fd);
        changed += w->result.changed;
    }
    if (r >= 0) {
        *ret = w->result;
        ret->changed = changed;
    }
    free(w->levels);
    free(w);
    if (r == BEGIN_ANEW)
        return error_retry(e, EAGAIN, "its directories are moved by the application all the time");
    return r < 0 ? error_os(e, -r, "cannot give its files project %u", project) : 0;
}

int tag_tree(const struct kernel *kernel, int fd, uint32_t project, struct tag_result *ret, struct error *e)
{
    return run(kernel, fd, project, false, ret, e);
}

int tag_count(const struct kernel *kernel, int fd, uint32_t project, struct tag_result *ret, struct error *e)
{
    return run(kernel, fd, project, true, ret, e);
}
