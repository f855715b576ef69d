/* Implements directory_files.h. */
#include "reconciler/face/directory_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/app/check.h"
#include "lib/app/extent.h"
#include "lib/app/limits.h"
#include "lib/app/name.h"
#include "lib/app/normalise.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/schema/object.h"
#include "lib/schema/parse.h"

#define SUFFIX ".json"

/* Checks that only root or this process's user can change the object. In a sticky directory others cannot
 * rename it, so that one may lead to the directory of manifests. */
static int check_owner(const struct stat *st, const char *path, bool leads, struct error *e)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return error_refuse(e, EPERM,
                            "'%s' belongs to user %u: only root may write manifests, so change its "
                            "owner",
                            path, st->st_uid);
    if (st->st_mode & 0022 && !(leads && st->st_mode & S_ISVTX))
        return error_refuse(e, EPERM,
                            "'%s' has mode %04o: only root may write manifests, so make it writable "
                            "by its owner alone",
                            path, st->st_mode & 07777);
    return 0;
}

/* Checks the directories that lead to 'path'. */
static int check_way(const char *path, struct error *e)
{
    struct stat st;
    for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
        _cleanup_free_ char *part = slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
        if (stat(part, &st) < 0)
            return error_os(e, errno, "cannot read the attributes of '%s'", part);
        int r = check_owner(&st, part, true, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Returns how many mount points lead to 'path', itself included and the root directory excluded. Its device
 * does not show that: a bind mount has that of another directory. */
static int64_t count_mounts(const char *path)
{
    _cleanup_free_ char *real = realpath(path, NULL);
    int64_t n = 0;
    for (char *end = real; end && *end;) {
        struct statx st;
        end += 1 + strcspn(end + 1, "/");
        _cleanup_free_ char *part = xstrndup(real, (size_t)(end - real));
        n += !streq(part, "/") && statx(AT_FDCWD, part, AT_SYMLINK_NOFOLLOW, 0, &st) >= 0 &&
             st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
    }
    return n;
}

int directory_open(const char *path, struct directory_place *ret, struct error *e)
{
    struct stat st;
    int r = check_way(path, e);
    if (r < 0)
        return r;
    if (lstat(path, &st) >= 0 && S_ISLNK(st.st_mode))
        return error_refuse(e, ELOOP, "'%s' is a symbolic link: name the directory itself", path);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES)
        return error_refuse(e, EACCES,
                            "cannot open '%s': Permission denied: the reconciler's user, "
                            "hostlet-reconciler, must be able to read it",
                            path);
    if (fd < 0)
        return error_os(e, errno, "cannot open '%s'", path);
    if (fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot read the attributes of '%s'", path);
    r = check_owner(&st, path, false, e);
    if (r < 0)
        return r;
    *ret = (struct directory_place){
        .fd = TAKE_FD(fd), .device = st.st_dev, .inode = st.st_ino, .mounts = count_mounts(path)};
    return 0;
}

bool directory_is_at(const struct directory_place *place, const char *path)
{
    struct stat st;
    struct error e = ERROR_INIT;
    return lstat(path, &st) >= 0 && st.st_dev == place->device && st.st_ino == place->inode &&
           access(path, R_OK | X_OK) >= 0 && check_owner(&st, path, false, &e) >= 0;
}

int directory_list(const struct directory_place *place, const char *path,
                   void (*each)(void *userdata, const char *name), void *userdata, struct error *e)
{
    int fd = openat(place->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int errnum = errno;
        close_fd(fd);
        return error_os(e, errnum, "cannot read the directory '%s'", path);
    }
    for (;;) {
        errno = 0;
        struct dirent *d = readdir(dir);
        if (!d)
            return errno ? error_os(e, errno, "cannot read the directory '%s'", path) : 0;
        if (d->d_name[0] == '.' || !has_suffix(d->d_name, SUFFIX))
            continue;
        _cleanup_free_ char *name = xstrndup(d->d_name, strlen(d->d_name) - strlen(SUFFIX));
        each(userdata, name);
    }
}

/* Opens the file and checks who can write it. */
static int open_file(const struct directory_place *place, const char *file, struct error *e)
{
    struct stat st;
    _cleanup_close_ int fd =
        openat(place->fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == EACCES)
        return error_refuse(e, EACCES,
                            "cannot open '%s': Permission denied: the reconciler's user, "
                            "hostlet-reconciler, must be able to read it",
                            file);
    if (fd < 0 && errno == ELOOP)
        return error_refuse(e, ELOOP, "'%s' is a symbolic link: put the file itself here", file);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot open '%s'", file);
    if (!S_ISREG(st.st_mode))
        return error_refuse(e, EINVAL, "'%s' is not a regular file", file);
    int r = check_owner(&st, file, false, e);
    return r < 0 ? r : TAKE_FD(fd);
}

static int parse(const char *name, const char *file, const char *text, size_t size, struct app_manifest *ret,
                 struct error *e)
{
    int r = schema_parse_text(&app_manifest_schema, text, size, SCHEMA_STRICT, file, ret, e);
    if (r < 0)
        return error_prefix(e, "not in canonical form, which 'hostletctl convert' prints");
    if ((r = app_check(ret, e)) < 0 || (r = app_normalise(ret, e)) < 0 ||
        (r = app_check_extent(ret, "/app", e)) < 0)
        return error_prefix(e, "%s", file);
    if (!streq(app_instance_name(ret), name))
        return error_refuse(e, EINVAL,
                            "'%s' describes the instance '%.63s': a file is named like its instance", file,
                            app_instance_name(ret));
    return 0;
}

int directory_read(const struct directory_place *place, const char *name, struct app_manifest **ret,
                   size_t *size, struct error *e)
{
    _cleanup_free_ char *file = xasprintf("%s" SUFFIX, name), *text = NULL;
    size_t n;
    _cleanup_close_ int fd = open_file(place, file, e);
    if (fd < 0)
        return fd;
    int r = read_open_file(fd, file, APP_SIZE_MAX, &text, &n, e);
    if (r < 0)
        return r;
    struct app_manifest *manifest = xcalloc(1, sizeof *manifest);
    r = parse(name, file, text, n, manifest, e);
    if (r < 0) {
        schema_free(&app_manifest_schema, manifest);
        return r == -ENOENT ? -EINVAL : r;
    }
    *ret = manifest;
    *size += n;
    return 0;
}

bool directory_has(const struct directory_place *place, const char *name)
{
    struct stat st;
    _cleanup_free_ char *file = xasprintf("%s" SUFFIX, name);
    return fstatat(place->fd, file, &st, AT_SYMLINK_NOFOLLOW) >= 0 || errno != ENOENT;
}
