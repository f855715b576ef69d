/* Implements setup.h. */
#include "hostletd/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostletd/packages.h"
#include "hostletd/places.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/lock.h"
#include "lib/basic/log.h"
#include "lib/varlink/unix.h"

#define PID_FILE_MAX 64
#define STATUS_MAX   65536

int setup_find_group(gid_t *ret, struct error *e)
{
    const struct group *group = getgrnam("hostlet");
    if (!group)
        return error_refuse(e, ESRCH,
                            "the group 'hostlet' does not exist (sysusers.d/hostlet.conf makes it)");
    *ret = group->gr_gid;
    return 0;
}

/* Returns the bits of a mode with which more than the owner of the place may write into it. */
static mode_t unsafe_bits(mode_t mode, const struct place *place)
{
    return mode & (place->flags & PLACE_GROUP_MAY_WRITE ? 0002 : 0022);
}

/* Refuses a directory of the administrator's that another user owns or can write. Others are corrected. */
static int check_owner(const struct stat *st, const char *path, const struct place *place, uid_t uid,
                       struct error *e)
{
    if (!(place->flags & PLACE_ADMINS) || (st->st_uid == uid && !unsafe_bits(st->st_mode, place)))
        return 0;
    return error_refuse(
        e, EPERM, "'%s' belongs to user %u and has mode %04o: nobody but root may be able to write there",
        path, st->st_uid, st->st_mode & 07777);
}

static int refuse_kind(const char *path, struct error *e)
{
    return error_refuse(e, ENOTDIR, "'%s' is not a directory (a symbolic link is not followed here)", path);
}

/* Corrects the owner of an open directory, removes the right of others to write into it, and restores their
 * right to enter it if the mode is hostletd's own. */
static int mend(int fd, const char *path, const struct place *place, uid_t uid, gid_t gid, struct error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot stat '%s'", path);
    mode_t unsafe = unsafe_bits(st.st_mode, place);
    mode_t missing = place->flags & PLACE_SOCKETS ? place->mode & ~st.st_mode : 0;
    int r = check_owner(&st, path, place, uid, e);
    if (r < 0)
        return r;
    if (st.st_uid != uid) {
        log_notice("'%s' belonged to user %u, now to %u", path, st.st_uid, uid);
        if (fchown(fd, uid, gid) < 0)
            return error_os(e, errno, "cannot change the owner of '%s'", path);
    } else if (gid != (gid_t)-1 && st.st_gid != gid && fchown(fd, (uid_t)-1, gid) < 0) {
        return error_os(e, errno, "cannot change the group of '%s'", path);
    }
    if (!unsafe && !missing)
        return 0;
    log_warning("'%s' had mode %04o: others may %s", path, st.st_mode & 07777,
                unsafe ? "not write there any more" : "enter it again");
    if (fchmod(fd, (st.st_mode & 07777 & ~unsafe) | missing) < 0)
        return error_os(e, errno, "cannot change the mode of '%s'", path);
    return 0;
}

/* Opens a base directory of the tree. It can be anywhere, and its parents are the administrator's: they are
 * created if they are missing, and not corrected. */
static int open_base(const char *path, mode_t mode, bool *ret_made, struct error *e)
{
    bool made = mkdir(path, mode) == 0;
    if (!made && errno == ENOENT) {
        int r = make_dirs(path, 0755, e);
        if (r < 0)
            return r;
        made = true;
    } else if (!made && errno != EEXIST) {
        return error_os(e, errno, "cannot make directory '%s'", path);
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return refuse_kind(path, e);
    if (fd < 0)
        return error_os(e, errno, "cannot open directory '%s'", path);
    *ret_made = made;
    return fd;
}

/* Creates or corrects one directory. Its parents in the tree are correct already. */
static int make_place(const struct tree *tree, const struct place *place, uid_t uid, gid_t gid,
                      struct error *e)
{
    _cleanup_free_ char *path = place_path(tree, place);
    bool made = false;
    _cleanup_close_ int fd = *place->name
                                 ? make_dir_below(place_base(tree, place), place->name, place->mode, &made, e)
                                 : open_base(path, place->mode, &made, e);
    if (fd < 0)
        return fd;
    if (!made) {
        int r = mend(fd, path, place, uid, gid, e);
        return r >= 0 && place->flags & PLACE_PACKAGES ? packages_take(fd, path, e) : r;
    }
    if (fchown(fd, uid, gid) < 0)
        return error_os(e, errno, "cannot change the owner of '%s'", path);
    /* mkdir() ignores the set-group-id bit. */
    if (place->mode > 0777 && fchmod(fd, place->mode) < 0)
        return error_os(e, errno, "cannot change the mode of '%s'", path);
    return 0;
}

/* Reports whether the place belongs to this tree: the tree has its service, and a prefix if it is only for
 * one. */
static bool is_used(const struct tree *tree, const struct topology *topology, const struct place *p)
{
    return !(p->service && !topology_find(topology, p->service)) &&
           !(p->flags & PLACE_PREFIX_ONLY && !tree->prefix);
}

int setup_check_directories(const struct tree *tree, const struct topology *topology, struct error *e)
{
    int r = 0;
    for (const struct place *p = places; r >= 0 && p->name; p++) {
        struct stat st;
        const struct service_conf *owner = p->service ? topology_find(topology, p->service) : NULL;
        _cleanup_free_ char *path = is_used(tree, topology, p) ? place_path(tree, p) : NULL;
        if (!path || lstat(path, &st) < 0)
            continue;
        r = S_ISDIR(st.st_mode) ? check_owner(&st, path, p, owner ? owner->uid : 0, e) : refuse_kind(path, e);
    }
    return r;
}

int setup_directories(const struct tree *tree, const struct topology *topology, gid_t group, struct error *e)
{
    for (const struct place *p = places; p->name; p++) {
        const struct service_conf *owner = p->service ? topology_find(topology, p->service) : NULL;
        if (!is_used(tree, topology, p))
            continue;
        const struct service_conf *reader =
            p->flags & PLACE_GROUP_FETCHER ? topology_find(topology, "fetcher") : NULL;
        gid_t gid = p->flags & PLACE_GROUP_HOSTLET ? group
                    : reader                       ? reader->gid
                    : owner                        ? owner->gid
                                                   : (gid_t)-1;
        int r = make_place(tree, p, owner ? owner->uid : 0, gid, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int setup_socket_directories(const struct tree *tree, gid_t group, struct error *e)
{
    int r = 0;
    for (const struct place *p = places; r >= 0 && p->name; p++)
        if (p->flags & PLACE_SOCKETS)
            r = make_place(tree, p, 0, p->flags & PLACE_GROUP_HOSTLET ? group : (gid_t)-1, e);
    return r;
}

int setup_tree_id(const struct tree *tree, struct error *e)
{
    _cleanup_free_ char *path = tree_state(tree, "tree.id"), *uuid = NULL, *id = NULL;
    if (access(path, F_OK) == 0)
        return tree_read_id(tree, &id, e);
    char fresh[UUID_SIZE];
    random_uuid(fresh);
    uuid = xasprintf("%s\n", fresh);
    return replace_file(path, uuid, strlen(uuid), 0644, e);
}

int setup_pid_file(const struct tree *tree, struct error *e)
{
    _cleanup_free_ char *path = xasprintf("%s/hostletd.pid", tree->run), *text = xasprintf("%d\n", getpid()),
                        *now = NULL;
    if (read_file_at(AT_FDCWD, path, PID_FILE_MAX, &now, NULL, NULL) >= 0 && streq(now, text))
        return 0;
    int r = replace_file(path, text, strlen(text), 0644, e);
    return r < 0 ? r : 1;
}

/* Returns the process id of a hostletd of an earlier version, or 0. Its lock is RUN/hostletd.lock, and its id
 * is in the pid file. Every user could open that lock, so a lock of another process counts for nothing. */
static pid_t find_earlier(const struct tree *tree)
{
    _cleanup_free_ char *lock = xasprintf("%s/hostletd.lock", tree->run);
    _cleanup_free_ char *pid_file = xasprintf("%s/hostletd.pid", tree->run), *text = NULL, *status = NULL;
    _cleanup_close_ int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int64_t pid;
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK ||
        read_file_at(AT_FDCWD, pid_file, PID_FILE_MAX, &text, NULL, NULL) < 0)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    if (parse_int64(text, 1, INT32_MAX, &pid) < 0)
        return 0;
    _cleanup_free_ char *path = xasprintf("/proc/%d/status", (pid_t)pid);
    if (read_file_at(AT_FDCWD, path, STATUS_MAX, &status, NULL, NULL) < 0)
        return 0;
    bool is_hostletd = after_prefix(status, "Name:\thostletd\n") && strstr(status, "\nUid:\t0\t0\t0\t0\n");
    return is_hostletd ? (pid_t)pid : 0;
}

/* Refuses a tree whose hostletd runs without a lock that others see, because the file was deleted. It keeps
 * its socket reachable, so that it is found there. */
static int check_unlocked(const struct tree *tree, const char *name, const char *lock, struct error *e)
{
    _cleanup_free_ char *path = tree_socket(tree, "supervisor");
    struct error none = ERROR_INIT;
    struct ucred listener = {.pid = 0};
    socklen_t size = sizeof listener;
    _cleanup_close_ int fd = unix_connect(path, &none);
    if (fd < 0 && none.errnum != EAGAIN) /* EAGAIN: it does not accept, and its backlog is full */
        return 0;
    if (fd >= 0)
        (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &size);
    return error_retry(
        e, EAGAIN,
        "this tree (%s) runs already: process %d listens on '%s', and '%s' was deleted; stop it first", name,
        listener.pid, path, lock);
}

int setup_lock(const struct tree *tree, int *ret_fd, struct error *e)
{
    _cleanup_free_ char *lock = tree_state(tree, "hostletd.lock");
    const char *name = tree->prefix ? tree->prefix : "the system's";
    _cleanup_close_ int fd = lock_file(lock, 0, e);
    if (fd == -EAGAIN)
        return error_prefix(e, "this tree (%s) runs already", name);
    if (fd < 0)
        return fd;
    pid_t earlier = find_earlier(tree);
    if (earlier)
        return error_retry(
            e, EAGAIN,
            "this tree (%s) runs already: process %d is the hostletd of an earlier version; stop "
            "it first",
            name, earlier);
    int r = check_unlocked(tree, name, lock, e);
    if (r >= 0)
        r = setup_pid_file(tree, e);
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

void setup_unlock(const struct tree *tree)
{
    _cleanup_free_ char *pid_file = xasprintf("%s/hostletd.pid", tree->run);
    unlink(pid_file);
}
