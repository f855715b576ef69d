/* Implements walk.h. */
#include "quota-keeper/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

#define BUFFER    8192 /* bytes; as much is read again after each directory below */
#define REOPEN    (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define AGAIN_MAX 1000 /* how often the way is searched from the top */
#define UNKNOWN   (-1) /* a position that is no longer stored */

/* A directory on the way down, and the position at which the walk continues in it. */
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
    int fd;               /* the present directory */
    ino_t came_from;      /* inode of the entry after which the walk continues; 0: at the present position */
    struct level *levels; /* the lowest stored levels of the way down */
    size_t forgotten;     /* number of levels above them that are not stored */
    size_t n, room, window;
    bool moved; /* a directory was moved, so that entries may have been missed */
    unsigned again;
    char buffer[BUFFER] __attribute__((aligned(8)));
};

/* The format of getdents64(2). */
struct entry {
    uint64_t ino;
    int64_t position; /* position of the next entry */
    unsigned short size;
    unsigned char type;
    char name[];
};

/* Opens an entry for reading its project. Returns a descriptor, −ENOTSUP for what is neither a file nor a
 * directory, or another negative errno. */
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

static void store_level(struct walk *w, struct level level)
{
    if (w->n == w->window) { /* drops the upper levels, which are needed last */
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

/* Enters the directory 'fd' (takes ownership, also on failure) and stores the position in the present one. */
static int go_down(struct walk *w, int fd, off_t position)
{
    struct stat st;
    if (fstat(w->fd, &st) < 0) {
        close_fd(fd);
        return -errno;
    }
    store_level(w, (struct level){st.st_dev, st.st_ino, position});
    close_fd(w->fd);
    w->fd = fd;
    return 0;
}

/* Finds the levels that were dropped by climbing from the present directory to the top. They are trusted
 * because the climb ends at the top after as many steps as the way down had. */
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

/* Finds the directory below 'dir' with this inode. Returns a descriptor, or −ENOENT if no entry has it. */
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

/* Handles a way that was moved: goes down again from the top along the levels up to 'depth', as far as
 * they still exist, and continues the walk there. So a moved directory hides only its own content, which
 * another walk then visits. */
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

/* Visits one entry. Returns 1 if the walk entered a directory, 0, or a negative errno. */
static int visit(struct walk *w, const struct entry *entry)
{
    struct stat st = {0};
    if (w->came_from) { /* this entry was visited, and all before it */
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

/* Visits everything below the top, including the directories on the way. */
static int walk_all(struct walk *w)
{
    for (;;) {
        long n = syscall(SYS_getdents64, w->fd, w->buffer, sizeof w->buffer);
        if (n < 0 && errno != ENOENT) /* ENOENT: the directory was removed during the walk */
            return -errno;
        if (n <= 0) {
            if (w->came_from) /* the entry no longer exists */
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
