/* Implements packages.h.
 *
 * The process can be killed after every step. A tree in .publishing is then processed again from the
 * beginning, a hidden tree is deleted later, and the final name is given last. */
#include "provisioner/packages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"
#include "lib/package/id.h"
#include "lib/paths/tree.h"
#include "provisioner/take.h"

#define DELETING ".deleting-"

struct store {
    int top, publishing, staging; /* 'staging' is −1 if the unpacker never made it */
    uid_t from;                   /* owner of .staging */
};

static void store_close(struct store *s)
{
    close_fd(s->top);
    close_fd(s->publishing);
    close_fd(s->staging);
}

#define _cleanup_store_ _cleanup_(store_close)
#define STORE_INIT                                                                                           \
    {                                                                                                        \
        .top = -1, .publishing = -1, .staging = -1                                                           \
    }

/* Opens .publishing, and makes it if it is missing. Only root can enter it. */
static int open_publishing(int top, int *ret, struct error *e)
{
    if (mkdirat(top, IPK_PUBLISHING, 0700) < 0 && errno != EEXIST)
        return error_os(e, errno, "cannot make directory '%s'", IPK_PUBLISHING);
    _cleanup_close_ int fd = open_beneath(top, IPK_PUBLISHING, O_RDONLY | O_DIRECTORY, 0, e);
    struct stat st;
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot stat '%s'", IPK_PUBLISHING);
    if (st.st_uid != geteuid())
        return error_refuse(e, EPERM, "'%s' belongs to user %u: remove it", IPK_PUBLISHING, st.st_uid);
    if (st.st_mode & 077 && fchmod(fd, 0700) < 0)
        return error_os(e, errno, "cannot change the mode of '%s'", IPK_PUBLISHING);
    *ret = TAKE_FD(fd);
    return 0;
}

/* Returns 1, or 0 if there is no store. */
static int store_open(const char *path, struct store *ret, struct error *e)
{
    _cleanup_store_ struct store s = STORE_INIT;
    struct stat st;
    s.top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (s.top < 0 && errno == ENOENT)
        return 0;
    if (s.top < 0 || fstat(s.top, &st) < 0)
        return error_os(e, errno, "cannot open directory '%s'", path);
    if (st.st_uid != geteuid() || st.st_mode & 0022)
        return error_refuse(
            e, EPERM,
            "'%s' belongs to user %u and has mode %04o: it must belong to user %u, and no other user may be "
            "able to write in it (a start of hostletd, or hostletd --setup, corrects it)",
            path, st.st_uid, st.st_mode & 07777, geteuid());
    int r = open_publishing(s.top, &s.publishing, e);
    if (r < 0)
        return error_prefix(e, "%s", path);
    s.from = geteuid();
    s.staging = open_beneath(s.top, IPK_STAGING, O_RDONLY | O_DIRECTORY, 0, NULL);
    if (s.staging >= 0 && fstat(s.staging, &st) == 0)
        s.from = st.st_uid;
    *ret = s;
    s = (struct store)STORE_INIT;
    return 1;
}

/* Opens the directory {store}/{name} and makes root its owner if another user made it. Returns 1, or 0 if
 * there is none. */
static int open_package(const struct store *s, const char *name, int *ret, struct error *e)
{
    _cleanup_close_ int fd = open_beneath(s->top, name, O_RDONLY | O_DIRECTORY, 0, NULL);
    struct stat st;
    if (fd == -ENOENT)
        return 0;
    if (fd == -ENOTDIR || fd == -ELOOP)
        return error_set(e, ERROR_CONFLICT, ENOTDIR, "'%s' is in the way: it is not a directory", name);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_os(e, fd < 0 ? -fd : errno, "cannot open directory '%s'", name);
    bool ours = st.st_uid == geteuid();
    if ((!ours && fchown(fd, geteuid(), getegid()) < 0) ||
        ((!ours || st.st_mode & 0022) && fchmod(fd, 0755) < 0))
        return error_os(e, errno, "cannot make root the owner of directory '%s'", name);
    *ret = TAKE_FD(fd);
    return 1;
}

static int make_package(const struct store *s, const char *name, int *ret, struct error *e)
{
    bool made = mkdirat(s->top, name, 0755) == 0;
    if (!made && errno != EEXIST)
        return error_os(e, errno, "cannot make directory '%s'", name);
    if (made && fsync(s->top) < 0)
        return error_os(e, errno, "cannot sync the directory of '%s'", name);
    int r = open_package(s, name, ret, e);
    return r == 0 ? error_retry(e, EAGAIN, "directory '%s' vanished", name) : r;
}

enum entry { ENTRY_NONE, ENTRY_OURS, ENTRY_OTHERS };

/* Sets *ret to whose {name}/{id} is. If it belongs to another user and is not a directory, it is removed. */
static int look(int package, const char *id, enum entry *ret, struct error *e)
{
    struct stat st;
    if (package < 0 || fstatat(package, id, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (package >= 0 && errno != ENOENT)
            return error_os(e, errno, "cannot stat '%s'", id);
        *ret = ENTRY_NONE;
        return 0;
    }
    bool ours = st.st_uid == geteuid();
    *ret = ours ? ENTRY_OURS : ENTRY_OTHERS;
    /* The original agent, which runs as root, too, left modes as they were in the package. */
    if (S_ISDIR(st.st_mode) && ours && st.st_mode & 0022 && fchmodat(package, id, st.st_mode & 0755, 0) < 0)
        return error_os(e, errno, "cannot change the mode of '%s'", id);
    if (S_ISDIR(st.st_mode))
        return 0;
    if (ours)
        return error_set(e, ERROR_CONFLICT, ENOTDIR, "'%s' is in the way: it is not a directory", id);
    if (unlinkat(package, id, 0) < 0)
        return error_os(e, errno, "cannot remove '%s' of user %u", id, st.st_uid);
    *ret = ENTRY_NONE;
    return 0;
}

/* Hides dir/name in .publishing. Returns 1, or 0 if it does not exist. */
static int hide(const struct store *s, int dir, const char *name, bool *ret_hidden, struct error *e)
{
    char random[17];
    random_hex(random, 8);
    _cleanup_free_ char *hidden = xasprintf(DELETING "%s", random);
    if (dir < 0)
        return 0;
    if (renameat2(dir, name, s->publishing, hidden, RENAME_NOREPLACE) == 0) {
        *ret_hidden = true;
        return 1;
    }
    if (errno == ENOENT)
        return 0;
    if (errno == EBUSY)
        return error_refuse(e, EBUSY, "'%s' is a mount point: unmount it first", name);
    if (errno != EXDEV)
        return error_os(e, errno, "cannot rename '%s' for deletion", name);
    /* The tree has another disk project than .publishing, whose entries inherit one, so that the kernel
     * does not rename it. */
    int r = remove_tree_at(dir, name, e);
    return r < 0 ? r : 1;
}

/* Moves the tree to .publishing, where other users cannot reach it by name. */
static int fetch(const struct store *s, int dir, const char *name, const char *key, bool *ret_hidden,
                 struct error *e)
{
    struct stat st;
    int why = ENOENT;
    if (dir >= 0 && renameat2(dir, name, s->publishing, key, RENAME_NOREPLACE) == 0)
        return 0;
    if (dir >= 0)
        why = errno;
    /* An earlier process moved the tree there: this publication continues with it. */
    if ((why == EEXIST || why == ENOENT) && fstatat(s->publishing, key, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    if (why == ENOENT)
        return error_retry(e, ENOENT, "it is not unpacked (any more)");
    if (why != EXDEV)
        return error_os(e, why, "cannot rename '%s'", name);
    int r = hide(s, dir, name, ret_hidden, e);
    return r < 0 ? r : error_refuse(e, EXDEV, "it is charged to another disk project");
}

/* Makes the tree in .publishing root's own and gives it its final name. */
static int complete(const struct store *s, const char *name, const char *id, const char *key,
                    const struct take_options *options, struct error *e)
{
    _cleanup_close_ int package = -1;
    int r = take_tree(s->publishing, key, options, e);
    if (r >= 0)
        r = failpoint_error("publish.taken", e);
    /* The final name means that the tree is complete, also after a power failure and on any filesystem. */
    if (r >= 0 && syncfs(s->publishing) < 0)
        r = error_os(e, errno, "cannot sync it");
    if (r >= 0)
        r = failpoint_error("publish.synced", e);
    if (r >= 0)
        r = make_package(s, name, &package, e);
    if (r < 0)
        return r;
    if (renameat2(s->publishing, key, package, id, RENAME_NOREPLACE) < 0)
        return error_os(e, errno, "cannot rename it to '%s/%s'", name, id);
    r = failpoint_error("publish.named", e);
    if (r >= 0 && fsync(package) < 0)
        r = error_os(e, errno, "cannot sync directory '%s'", name);
    return r;
}

/* Checks that leases work before a published directory of another user is moved: running containers can
 * use it, and without leases no tree can be checked. */
static int can_take(const struct store *s, struct error *e)
{
    char random[17];
    random_hex(random, 8);
    _cleanup_free_ char *probe = xasprintf(DELETING "%s", random);
    return take_possible(s->publishing, probe, e);
}

static int publish(const struct store *s, const char *name, const char *id, uint64_t entries_max,
                   bool *ret_hidden, struct error *e)
{
    _cleanup_free_ char *key = package_key(name, id);
    _cleanup_close_ int package = -1;
    enum entry entry = ENTRY_NONE;
    struct take_options options = {.from = s->from, .entries_max = entries_max, .like = s->top};
    int r = open_package(s, name, &package, e);
    if (r >= 0)
        r = look(package, id, &entry, e);
    if (r < 0)
        return r;
    if (entry == ENTRY_OURS) {
        r = hide(s, s->staging, key, ret_hidden, e); /* the package was unpacked again for another caller */
        return r < 0 ? r : 0;
    }
    if (entry == ENTRY_OTHERS && (r = can_take(s, e)) < 0)
        return r;
    r = entry == ENTRY_OTHERS ? fetch(s, package, id, key, ret_hidden, e)
                              : fetch(s, s->staging, key, key, ret_hidden, e);
    if (r >= 0)
        r = failpoint_error("publish.moved", e);
    if (r >= 0)
        r = complete(s, name, id, key, &options, e);
    if (r >= 0)
        (void)hide(s, s->staging, key, ret_hidden, NULL);
    else if (e->class == ERROR_REFUSED || e->class == ERROR_NOT_SUPPORTED)
        (void)hide(s, s->publishing, key, ret_hidden, NULL);
    return r;
}

int packages_publish(const char *store, const char *name, const char *id, uint64_t entries_max,
                     bool *ret_hidden, struct error *e)
{
    _cleanup_store_ struct store s = STORE_INIT;
    *ret_hidden = false;
    int r = store_open(store, &s, e);
    if (r == 0)
        r = error_retry(e, ENOENT, "it is not unpacked (any more)");
    if (r >= 0)
        r = publish(&s, name, id, entries_max, ret_hidden, e);
    return r < 0 ? error_prefix(e, "package '%s' cannot be published", id) : 0;
}

static int unpublish(const struct store *s, const char *name, const char *id, bool *ret_hidden,
                     struct error *e)
{
    _cleanup_free_ char *key = package_key(name, id);
    _cleanup_close_ int package = -1;
    int r = open_package(s, name, &package, e);
    if (r >= 0)
        r = hide(s, package, id, ret_hidden, e);
    if (r > 0 && fsync(package) < 0)
        r = error_os(e, errno, "cannot sync directory '%s'", name);
    if (r >= 0)
        r = hide(s, s->staging, key, ret_hidden, e);
    if (r >= 0)
        r = hide(s, s->publishing, key, ret_hidden, e);
    return r < 0 ? r : failpoint_error("unpublish.hidden", e);
}

int packages_unpublish(const char *store, const char *name, const char *id, bool *ret_hidden, struct error *e)
{
    _cleanup_store_ struct store s = STORE_INIT;
    *ret_hidden = false;
    int r = store_open(store, &s, e);
    if (r > 0)
        r = unpublish(&s, name, id, ret_hidden, e);
    return r < 0 ? error_prefix(e, "package '%s' cannot be removed", id) : 0;
}

static int list(int dir, DIR **ret, struct error *e)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        int why = errno;
        close_fd(fd);
        return error_os(e, why, "cannot read a directory of packages");
    }
    *ret = d;
    return 0;
}

int packages_delete(const char *store, unsigned *ret_deleted, struct error *e)
{
    _cleanup_store_ struct store s = STORE_INIT;
    _cleanup_closedir_ DIR *dir = NULL;
    unsigned deleted = 0;
    int result = store_open(store, &s, e);
    if (result > 0)
        result = list(s.publishing, &dir, e);
    struct dirent *d;
    while (dir && (d = readdir(dir))) {
        struct error why = ERROR_INIT;
        if (!after_prefix(d->d_name, DELETING))
            continue;
        int r = remove_tree_at(s.publishing, d->d_name, &why);
        deleted += r >= 0;
        if (r >= 0)
            r = failpoint_error("unpublish.deleted", &why);
        if (r < 0 && result >= 0) {
            result = r;
            *e = why;
        }
    }
    *ret_deleted = deleted;
    return result;
}

static void add_left(struct packages_left *left, const char *name, const char *id)
{
    left->items = xrealloc(left->items, left->n + 1, sizeof *left->items);
    left->items[left->n].name = xstrdup(name);
    left->items[left->n++].id = xstrdup(id);
}

void packages_left_clear(struct packages_left *left)
{
    for (size_t i = 0; i < left->n; i++) {
        free(left->items[i].name);
        free(left->items[i].id);
    }
    free(left->items);
    *left = (struct packages_left){0};
}

static int find_interrupted(const struct store *s, struct packages_left *ret, bool *ret_hidden,
                            struct error *e)
{
    _cleanup_closedir_ DIR *dir = NULL;
    int r = list(s->publishing, &dir, e);
    struct dirent *d;
    while (r >= 0 && (d = readdir(dir))) {
        _cleanup_free_ char *name = NULL, *id = NULL;
        if (after_prefix(d->d_name, DELETING))
            *ret_hidden = true;
        else if (package_key_parse(d->d_name, &name, &id, NULL) >= 0)
            add_left(ret, name, id);
    }
    return r;
}

static int find_others(const struct store *s, const char *name, struct packages_left *ret, bool *ret_hidden,
                       struct error *e)
{
    _cleanup_close_ int package = -1;
    _cleanup_closedir_ DIR *dir = NULL;
    int r = open_package(s, name, &package, e);
    if (r > 0)
        r = list(package, &dir, e);
    struct dirent *d;
    while (dir && r >= 0 && (d = readdir(dir))) {
        enum entry entry;
        if (after_prefix(d->d_name, IPK_UNFINISHED))
            (void)hide(s, package, d->d_name, ret_hidden, NULL); /* a failure is retried at the next start */
        if (package_id_check(name, d->d_name, NULL) < 0)
            continue;
        r = look(package, d->d_name, &entry, e);
        if (r == -ENOTDIR)
            r = 0; /* a file of root's, which stays */
        else if (r >= 0 && entry == ENTRY_OTHERS)
            add_left(ret, name, d->d_name);
    }
    return r;
}

int packages_find_left(const char *store, struct packages_left *ret, bool *ret_hidden, struct error *e)
{
    _cleanup_store_ struct store s = STORE_INIT;
    _cleanup_closedir_ DIR *dir = NULL;
    *ret = (struct packages_left){0};
    *ret_hidden = false;
    int r = store_open(store, &s, e);
    if (r <= 0)
        return r;
    r = find_interrupted(&s, ret, ret_hidden, e);
    if (r >= 0)
        r = list(s.top, &dir, e);
    struct dirent *d;
    while (r >= 0 && (d = readdir(dir)))
        if (package_name_check(d->d_name, NULL) >= 0) {
            r = find_others(&s, d->d_name, ret, ret_hidden, e);
            if (r == -ENOTDIR)
                r = 0;
        }
    if (r < 0)
        packages_left_clear(ret);
    return r < 0 ? r : 0;
}
