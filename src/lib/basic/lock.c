/* Implements lock.h. */
#include "lib/basic/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

#define PAUSE    (10 * USEC_PER_MSEC)
#define COMM_MAX 64

static int open_lock(const char *path, struct stat *ret, struct error *e)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return error_os(e, errno, "cannot open the lock file '%s'", path);
    if (fstat(fd, ret) < 0)
        return error_os(e, errno, "cannot look at '%s'", path);
    if (!S_ISREG(ret->st_mode) || ret->st_uid != geteuid())
        return error_fail(e, EPERM,
                          "'%s' is no regular file of user %u (mode %o, of user %u): it cannot be a lock; "
                          "remove it, and a new one is created",
                          path, geteuid(), ret->st_mode, ret->st_uid);
    return TAKE_FD(fd);
}

/* Returns the process id that /proc/locks lists as the holder of the file's lock; 0: none is listed. */
static int64_t holder_of(const struct stat *st)
{
    _cleanup_fclose_ FILE *f = fopen("/proc/locks", "re");
    char line[256];
    while (f && fgets(line, sizeof line, f)) {
        unsigned dev_major, dev_minor;
        uint64_t ino;
        int64_t pid;
        if (sscanf(line, "%*u: FLOCK %*s %*s %" SCNd64 " %x:%x:%" SCNu64, &pid, &dev_major, &dev_minor,
                   &ino) == 4 &&
            dev_major == major(st->st_dev) && dev_minor == minor(st->st_dev) && ino == st->st_ino)
            return pid;
    }
    return 0;
}

bool lock_is_held(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && holder_of(&st) > 0;
}

static int say_who(const char *path, const struct stat *st, struct error *e)
{
    int64_t pid = holder_of(st);
    _cleanup_free_ char *name = NULL, *comm = xasprintf("/proc/%" PRId64 "/comm", pid);
    char who[COMM_MAX + 64] = "another process";
    if (pid > 0 && read_file_at(AT_FDCWD, comm, COMM_MAX, &name, NULL, NULL) >= 0)
        snprintf(who, sizeof who, "process %" PRId64 " (%.*s)", pid, (int)strcspn(name, "\n"), name);
    else if (pid > 0)
        snprintf(who, sizeof who, "process %" PRId64, pid);
    return error_retry(e, EAGAIN, "%s holds the lock '%s'", who, path);
}

static int wait_for(int fd, const char *path, const struct stat *st, uint64_t end, struct error *e)
{
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_os(e, errno, "cannot lock '%s'", path);
        if (now_monotonic_usec() >= end)
            return say_who(path, st, e);
        nanosleep(&(struct timespec){.tv_nsec = PAUSE * 1000}, NULL);
    }
    return 0;
}

/* Replaces the lock file by a new one. A change of its mode does not close descriptors that other users
 * have open: such a user could acquire the lock later and keep it. This process holds the lock of the old
 * file, so no other process replaces it at the same time. */
static int replace_lock(const char *path, struct error *e)
{
    char suffix[13];
    random_hex(suffix, 6);
    _cleanup_free_ char *fresh = xasprintf("%s.%s", path, suffix);
    _cleanup_close_ int fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || rename(fresh, path) < 0) {
        int errnum = errno;
        unlink(fresh);
        return error_os(e, errnum, "cannot replace '%s', which others could open", path);
    }
    return TAKE_FD(fd);
}

int lock_file(const char *path, uint64_t wait_usec, struct error *e)
{
    uint64_t end = now_monotonic_usec() + wait_usec;
    for (;;) {
        struct stat st, now;
        _cleanup_close_ int fd = open_lock(path, &st, e);
        int r = fd < 0 ? fd : wait_for(fd, path, &st, end, e);
        if (r < 0)
            return r;
        /* While this process waited, the previous holder may have replaced the file. */
        if (lstat(path, &now) < 0 || now.st_dev != st.st_dev || now.st_ino != st.st_ino)
            continue;
        return st.st_mode & 0077 ? replace_lock(path, e) : TAKE_FD(fd);
    }
}
