/* A walk over everything in a directory that a tenant writes in; see walk.h. */
#include "quota-keeper/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

#define BUFFER    8192 /* bytes: what is read again after each directory below */
#define REOPEN    (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define AGAIN_MAX 1000 /* times that a way is looked for from the top */
#define UNKNOWN   (-1) /* a position that was forgotten */

/* A directory on the way down: where to go on when we are back in it. */
struct level {
    dev_t dev;
    ino_t ino;
    off_t position;
};

struct walk {
    walk_visit_fn visit;
    void *userdata;
    int top;
    dev_t top_dev;
    ino_t top_ino;
    int fd;               /* of the directory that we are in */
    ino_t came_from;      /* the entry behind which to go on in it; 0: where it stands */
    struct level *levels; /* the lowest ones of the way down */
    size_t forgotten;     /* that many above them are not remembered */
    size_t n, room, window;
    bool moved; /* something was, so that not all may have been seen */
    unsigned again;
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

/* Opens an entry: a descriptor that can be asked for its project, −ENOTSUP for what is neither file nor
 * directory. */
static int open_entry(int dir, const char *name, struct stat *ret)
{
    struct stat st;
    char link[64];
    _cleanup_close_ int path = open_beneath(dir, name, O_PATH, 0, NULL);
    if (path < 0)
        return path;
    if (fstat(path, &st) < 0)
        return -errno;
    *ret = st;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return -ENOTSUP;
    snprintf(link, sizeof link, "/proc/self/fd/%d", path);
    int fd = open(link, REOPEN | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = open(link, REOPEN);
    return fd < 0 ? -errno : fd;
}

static void remember(struct walk *w, struct level level)
{
    if (w->n == w->window) { /* those that we come back to last are forgotten */
        size_t kept = w->window / 2, gone = w->n - kept;
        memmove(w->levels, w->levels + gone, kept * sizeof *w->levels);
        w->forgotten += gone;
        w->n = kept;
    }
    if (w->n == w->room) {
        w->room = w->room ? w->room * 2 : 32;
        w->room = w->room < w->window ? w->room : w->window;
        w->levels = xrealloc(w->levels, w->room, sizeof *w->levels);
    }
    w->levels[w->n++] = level;
}

/* Into the directory 'fd' (taken), whose place in the present one is remembered. */
static int go_down(struct walk *w, int fd, off_t position)
{
    struct stat st;
    if (fstat(w->fd, &st) < 0) {
        close_fd(fd);
        return -errno;
    }
    remember(w, (struct level){st.st_dev, st.st_ino, position});
    close_fd(w->fd);
    w->fd = fd;
    return 0;
}

/* The way up to what was forgotten: who our ancestors are, read from them. They are believed because their
 * line ends at the top, after as many steps as we came down. */
static int climb(struct walk *w)
{
    size_t depth = w->forgotten, kept = depth < w->window / 2 ? depth : w->window / 2;
    _cleanup_close_ int at = openat(w->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    for (size_t i = 0; i < depth; i++) {
        int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (up < 0 || fstat(up, &st) < 0) {
            int r = errno == ENOENT ? WALK_MOVED : -errno;
            close_fd(up);
            return r;
        }
        close_fd(at);
        at = up;
        bool is_top = st.st_dev == w->top_dev && st.st_ino == w->top_ino;
        if (is_top != (i == depth - 1))
            return WALK_MOVED;
        if (i < kept)
            w->levels[kept - 1 - i] = (struct level){st.st_dev, st.st_ino, UNKNOWN};
    }
    w->n = kept;
    w->forgotten = depth - kept;
    return 0;
}

/* The directory below 'dir' with this inode; −ENOENT when it is none of its entries. */
static int find_child(struct walk *w, int dir, const struct level *level)
{
    for (long n; (n = syscall(SYS_getdents64, dir, w->buffer, sizeof w->buffer)) > 0;)
        for (long at = 0; at < n;) {
            const struct entry *entry = (const struct entry *)(w->buffer + at);
            struct stat st;
            at += entry->size;
            if (entry->ino != level->ino)
                continue;
            _cleanup_close_ int fd = open_entry(dir, entry->name, &st);
            if (fd >= 0 && st.st_dev == level->dev && st.st_ino == level->ino)
                return TAKE_FD(fd);
        }
    return -ENOENT;
}

/* Our way was moved: it is gone down again from the top, as far as it is still there, and the walk goes on
 * where that ends. So moving a directory hides no more than what is in it, and that is what another walk is
 * for. The levels up to 'depth'. */
static int find_again(struct walk *w, size_t depth)
{
    w->moved = true;
    if (w->forgotten > 0 || w->again++ == AGAIN_MAX)
        return WALK_MOVED;
    _cleanup_close_ int at = openat(w->top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return -errno;
    size_t reached = 0;
    for (int next; reached < depth && (next = find_child(w, at, &w->levels[reached + 1])) >= 0; reached++) {
        close_fd(at);
        at = next;
    }
    w->n = reached;
    if (w->levels[reached].position == UNKNOWN)
        return WALK_MOVED;
    if (lseek(at, w->levels[reached].position, SEEK_SET) < 0)
        return -errno;
    close_fd(w->fd);
    w->fd = TAKE_FD(at);
    return 0;
}

static int go_up(struct walk *w)
{
    struct stat st, here;
    int r = w->n == 0 ? climb(w) : 0;
    if (r < 0)
        return r;
    struct level *level = &w->levels[--w->n];
    _cleanup_close_ int up = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (up < 0 || fstat(up, &st) < 0 || fstat(w->fd, &here) < 0)
        return errno == ENOENT ? find_again(w, w->n) : -errno;
    if (st.st_dev != level->dev || st.st_ino != level->ino)
        return find_again(w, w->n);
    if (level->position == UNKNOWN)
        w->came_from = here.st_ino;
    else if (lseek(up, level->position, SEEK_SET) < 0)
        return -errno;
    close_fd(w->fd);
    w->fd = TAKE_FD(up);
    return 0;
}

/* One entry. 1: we are in another directory now. */
static int visit(struct walk *w, const struct entry *entry)
{
    struct stat st = {0};
    if (w->came_from) { /* it was visited, and all before it */
        if (entry->ino == w->came_from)
            w->came_from = 0;
        return 0;
    }
    if (streq(entry->name, ".") || streq(entry->name, ".."))
        return 0;
    _cleanup_close_ int fd = open_entry(w->fd, entry->name, &st);
    int r = w->visit(w->userdata, fd, &st);
    if (r >= 0 && fd >= 0 && S_ISDIR(st.st_mode))
        r = go_down(w, TAKE_FD(fd), (off_t)entry->position) ?: 1;
    return r;
}

/* Everything below the directory that we are in, which comes back to it. */
static int walk_all(struct walk *w)
{
    for (;;) {
        long n = syscall(SYS_getdents64, w->fd, w->buffer, sizeof w->buffer);
        if (n < 0 && errno != ENOENT) /* ENOENT: it was removed under our feet */
            return -errno;
        if (n <= 0) {
            if (w->came_from) /* it is not there any more */
                return WALK_MOVED;
            if (w->n + w->forgotten == 0)
                return w->moved ? WALK_MOVED : 0;
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

int walk_below(int top, size_t window, walk_visit_fn visit_one, void *userdata)
{
    struct stat st;
    if (fstat(top, &st) < 0)
        return -errno;
    struct walk *w = xcalloc(1, sizeof *w);
    *w = (struct walk){.visit = visit_one,
                       .userdata = userdata,
                       .top = top,
                       .top_dev = st.st_dev,
                       .top_ino = st.st_ino,
                       .window = window,
                       .fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    int r = w->fd < 0 ? -errno : walk_all(w);
    close_fd(w->fd);
    free(w->levels);
    free(w);
    return r;
}
