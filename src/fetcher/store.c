/* Implements store.h. */
#include "fetcher/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "fetcher/facts.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/package/header.h"
#include "lib/package/id.h"
#include "lib/service/lock.h"

#define PARTIAL_DIRECTORY ".partial"
/* A partial file that was not written for this long is removed. */
#define PARTIAL_AGE_MAX (7 * 24 * 3600 * USEC_PER_SEC)

int store_prepare(const struct tree *tree, uid_t uid, gid_t gid, struct error *e)
{
    int r = give_dir_below(tree->var, "ipk", uid, gid, 0755, e);
    return r < 0 ? r : give_dir_below(tree->var, "hostlet/fetcher", uid, gid, 0700, e);
}

/* Calls 'each' for each file of the directory. */
static void for_each_file(int dirfd,
                          void (*each)(int dirfd, const char *name, const struct stat *st, void *userdata),
                          void *userdata)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return;
    }
    for (struct dirent *d; (d = readdir(dir));) {
        struct stat st;
        if (fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            each(dirfd, d->d_name, &st, userdata);
    }
}

/* Removes a temporary file, which a killed process did not rename. */
static void remove_temporary(int dirfd, const char *name, const struct stat *st, void *userdata)
{
    (void)st, (void)userdata;
    if (name[0] == '.' && has_suffix(name, ".tmp"))
        unlinkat(dirfd, name, 0);
}

static void note_newest(int dirfd, const char *name, const struct stat *st, void *userdata)
{
    (void)dirfd, (void)name;
    int64_t *newest = userdata;
    if (st->st_mtime > *newest)
        *newest = st->st_mtime;
}

static void remove_older(int dirfd, const char *name, const struct stat *st, void *userdata)
{
    const int64_t *before = userdata;
    if (st->st_mtime < *before)
        unlinkat(dirfd, name, 0);
}

void store_expire(const struct store *store, struct wall_guard *wall)
{
    const int fds[] = {store->fd, store->partial_fd, store->state_fd};
    int64_t newest = 0;
    const char *why;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        struct stat st;
        if (fstat(fds[i], &st) == 0)
            note_newest(-1, NULL, &st, &newest);
        for_each_file(fds[i], note_newest, &newest);
    }
    int64_t before = wall_guard_expiry(wall, PARTIAL_AGE_MAX, newest, &why);
    if (why)
        log_notice("no partial file expires now: %s; they are examined again at the next start", why);
    else
        for_each_file(store->partial_fd, remove_older, &before);
}

int store_open(struct store *store, const struct tree *tree, struct error *e)
{
    _cleanup_free_ char *state = tree_state(tree, "fetcher"), *lock = xasprintf("%s/lock", state);
    store->path = tree_ipk(tree);
    store->state_fd = open_dir_at(AT_FDCWD, state, e);
    if (store->state_fd < 0)
        return store->state_fd;
    store->lock_fd = service_lock(lock, e);
    if (store->lock_fd == -EAGAIN)
        return error_prefix(e, "another fetcher runs for this tree");
    if (store->lock_fd < 0)
        return store->lock_fd;
    store->fd = open_dir_at(AT_FDCWD, store->path, e);
    if (store->fd < 0)
        return store->fd;
    if (mkdirat(store->fd, PARTIAL_DIRECTORY, 0700) < 0 && errno != EEXIST)
        return error_os(e, errno, "cannot make directory '%s/%s'", store->path, PARTIAL_DIRECTORY);
    store->partial_fd = open_dir_at(store->fd, PARTIAL_DIRECTORY, e);
    if (store->partial_fd < 0)
        return store->partial_fd;
    for_each_file(store->partial_fd, remove_temporary, NULL);
    for_each_file(store->state_fd, remove_temporary, NULL);
    return 0;
}

void store_close(struct store *store)
{
    free(store->path);
    close_fd(store->fd);
    close_fd(store->partial_fd);
    close_fd(store->state_fd);
    close_fd(store->lock_fd);
    *store = (struct store)STORE_INIT;
}

static bool is_sha256(const char *s)
{
    return strlen(s) == SHA256_HEX_SIZE - 1 && strspn(s, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}

int reference_check(const struct package_reference *p, struct error *e)
{
    int r = package_name_check(p->name, e);
    if (r >= 0)
        r = package_id_check(p->name, p->id, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *id = NULL;
    r = package_id_make(p->name, p->version, p->os, p->arch, &id, e);
    if (r < 0)
        return r;
    if (!streq(id, p->id))
        return error_refuse(e, EINVAL,
                            "the package reference is inconsistent: its id is '%s', its parts give '%s'",
                            p->id, id);
    if (p->sha256 && !is_sha256(p->sha256))
        return error_refuse(e, EINVAL, "package '%s': sha256 is not 64 lower-case hex digits", p->id);
    const char *checksum = p->checksum ? after_prefix(p->checksum, "sha256:") : NULL;
    if (p->checksum && (!checksum || !is_sha256(checksum)))
        return error_refuse(e, EINVAL,
                            "package '%s': checksum is not \"sha256:\" and 64 lower-case hex digits", p->id);
    if (p->size < 0)
        return error_refuse(e, EINVAL, "package '%s': size is negative", p->id);
    return 0;
}

static bool differ(const char *a, const char *b)
{
    return a && b && !streq(a, b);
}

int reference_same(const struct package_reference *a, const struct package_reference *b, const char *where_b,
                   struct error *e)
{
    if (differ(a->checksum, b->checksum))
        return error_set(e, ERROR_CONFLICT, EEXIST,
                         "package '%s' %s has other contents (checksum %s) than the one asked for (%s)",
                         a->id, where_b, b->checksum, a->checksum);
    if (differ(a->sha256, b->sha256))
        return error_set(e, ERROR_CONFLICT, EEXIST,
                         "package '%s' %s is another file (sha256 %s) than the one asked for (%s)", a->id,
                         where_b, b->sha256, a->sha256);
    if (a->size > 0 && b->size > 0 && a->size != b->size)
        return error_set(e, ERROR_CONFLICT, EEXIST, "package '%s' %s has %lld bytes, the one asked for %lld",
                         a->id, where_b, (long long)b->size, (long long)a->size);
    return 0;
}

char *store_package_path(const struct store *store, const char *name, const char *id)
{
    return xasprintf("%s/%s/%s.ipk", store->path, name, id);
}

/* Reads the header of a stored package into a reference. A damaged package is removed. Returns 1, 0 if there
 * is no package, or a negative errno. */
static int read_stored(const struct store *store, const struct package_reference *wanted,
                       struct package_reference *ret, struct error *e)
{
    _cleanup_free_ char *at = xasprintf("%s/%s.ipk", wanted->name, wanted->id);
    _cleanup_close_ int fd = open_beneath(store->fd, at, O_RDONLY, 0, NULL);
    if (fd < 0)
        return fd == -ENOENT ? 0 : error_os(e, -fd, "cannot open '%s/%s'", store->path, at);
    _cleanup_package_ struct package *p = NULL;
    uint64_t offset, size;
    struct error why = ERROR_INIT;
    int r = package_header_read(fd, at, &p, &offset, &size, &why);
    if (r >= 0 && !streq(p->id, wanted->id))
        r = error_refuse(&why, EBADMSG, "%s is the package '%s'", at, p->id);
    if (r < 0 && why.class != ERROR_REFUSED) {
        *e = why;
        return r;
    }
    if (r < 0) {
        log_warning("removing a damaged package from the store: %s", why.message);
        r = store_remove(store, wanted->name, wanted->id, e);
        return r < 0 ? r : 0;
    }
    *ret = (struct package_reference){.checksum = xasprintf("sha256:%s", p->sha256),
                                      .size = (int64_t)(offset + size)};
    return 1;
}

int store_find(const struct store *store, const struct package_reference *wanted, char **ret_path,
               uint64_t *ret_size, struct error *e)
{
    struct package_reference there = {0};
    int r = read_stored(store, wanted, &there, e);
    if (r <= 0)
        return r;
    r = reference_same(wanted, &there, "in the store", e);
    free(there.checksum);
    if (r < 0)
        return r;
    *ret_path = store_package_path(store, wanted->name, wanted->id);
    *ret_size = (uint64_t)there.size;
    return 1;
}

int store_publish(const struct store *store, const char *name, const char *id, struct error *e)
{
    _cleanup_free_ char *file = xasprintf("%s.ipk", id);
    if (mkdirat(store->fd, name, 0755) == 0) {
        if (fsync(store->fd) < 0)
            return error_os(e, errno, "cannot sync directory '%s'", store->path);
    } else if (errno != EEXIST) {
        return error_os(e, errno, "cannot make directory '%s/%s'", store->path, name);
    }
    _cleanup_close_ int directory = open_beneath(store->fd, name, O_RDONLY | O_DIRECTORY, 0, e);
    if (directory < 0)
        return directory;
    if (renameat(store->partial_fd, file, directory, file) < 0)
        return error_os(e, errno, "cannot move package '%s' into '%s/%s'", id, store->path, name);
    int r = failpoint("fetch.renamed");
    if (r < 0)
        return error_os(e, -r, "failpoint");
    if (fsync(directory) < 0)
        return error_os(e, errno, "cannot sync directory '%s/%s'", store->path, name);
    store_drop_partial(store, id);
    return 0;
}

void store_drop_partial(const struct store *store, const char *id)
{
    _cleanup_free_ char *file = xasprintf("%s.ipk", id);
    facts_remove(store->partial_fd, id);
    unlinkat(store->partial_fd, file, 0);
}

int store_remove(const struct store *store, const char *name, const char *id, struct error *e)
{
    _cleanup_free_ char *file = xasprintf("%s.ipk", id);
    store_drop_partial(store, id);
    _cleanup_close_ int directory = open_beneath(store->fd, name, O_RDONLY | O_DIRECTORY, 0, NULL);
    if (directory < 0)
        return directory == -ENOENT ? 0 : error_os(e, -directory, "cannot open '%s/%s'", store->path, name);
    if (unlinkat(directory, file, 0) < 0 && errno != ENOENT)
        return error_os(e, errno, "cannot remove '%s/%s/%s'", store->path, name, file);
    int r = failpoint("remove.unlinked");
    if (r < 0)
        return error_os(e, -r, "failpoint");
    if (fsync(directory) < 0)
        return error_os(e, errno, "cannot sync directory '%s/%s'", store->path, name);
    if (unlinkat(store->fd, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != EEXIST &&
        errno != ENOENT)
        return error_os(e, errno, "cannot remove directory '%s/%s'", store->path, name);
    return 0;
}

struct listing {
    const struct store *store;
    void (*each)(const struct fetcher_list_out *package, void *userdata);
    void *userdata;
};

static int list_directory(const struct listing *l, int fd, const char *directory, bool complete,
                          struct error *e)
{
    _cleanup_closedir_ DIR *dir = fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return error_os(e, ENOMEM, "cannot read directory '%s/%s'", l->store->path, directory);
    }
    for (struct dirent *d; (d = readdir(dir));) {
        struct stat st;
        struct package_id parts = {0};
        if (!has_suffix(d->d_name, ".ipk") || package_file_name_parse(d->d_name, &parts, NULL) < 0)
            continue;
        if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
            _cleanup_free_ char *id = xstrndup(d->d_name, strlen(d->d_name) - strlen(".ipk"));
            _cleanup_free_ char *path = xasprintf("%s/%s/%s", l->store->path, directory, d->d_name);
            const struct fetcher_list_out out = {.id = id,
                                                 .name = complete ? (char *)directory : parts.name,
                                                 .path = path,
                                                 .size = st.st_size,
                                                 .complete = complete};
            l->each(&out, l->userdata);
        }
        package_id_clear(&parts);
    }
    return 0;
}

int store_list(const struct store *store,
               void (*each)(const struct fetcher_list_out *package, void *userdata), void *userdata,
               struct error *e)
{
    const struct listing l = {store, each, userdata};
    int fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        close_fd(fd);
        return error_os(e, errno, "cannot read directory '%s'", store->path);
    }
    for (struct dirent *d; (d = readdir(dir));) {
        if (package_name_check(d->d_name, NULL) < 0)
            continue;
        int sub = open_beneath(store->fd, d->d_name, O_RDONLY | O_DIRECTORY, 0, NULL);
        int r = sub < 0 ? 0 : list_directory(&l, sub, d->d_name, true, e);
        if (r < 0)
            return r;
    }
    int partial = openat(store->partial_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return partial < 0 ? error_os(e, errno, "cannot read directory '%s/%s'", store->path, PARTIAL_DIRECTORY)
                       : list_directory(&l, partial, PARTIAL_DIRECTORY, false, e);
}

int store_free_space(const struct store *store, uint64_t *ret, struct error *e)
{
    struct statvfs v;
    if (fstatvfs(store->fd, &v) < 0)
        return error_os(e, errno, "cannot read the free space of '%s'", store->path);
    *ret = (uint64_t)v.f_bavail * v.f_frsize;
    return 0;
}
