/* Implements commands.h.
 *
 * A file is replaced atomically and keeps its mode and owner; a symbolic link to it stays. Two commands that
 * change files of one directory at the same time wait for each other. No message contains a value, which can
 * be secret. */
#include "inagent/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "inagent/config/merge.h"
#include "inagent/environment.h"
#include "inagent/setup.h"
#include "inagent/template.h"
#include "inagent/variables.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

#define SPEC_MAX (16U << 20) /* as the daemon's */

/* A file to change. */
struct target {
    char *path, *name; /* resolved, and its last component */
    int dirfd;         /* of its directory, locked */
    char *text;        /* "" if the file does not exist */
    size_t size;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    bool exists;
};

static void target_done(struct target *target)
{
    close_fd(target->dirfd);
    free(target->path);
    free(target->name);
    free(target->text);
}

/* Sets path and name of an existing file, or of one that can be made in an existing directory. */
static int resolve(const char *path, struct target *ret, struct error *e)
{
    ret->path = realpath(path, NULL);
    if (!ret->path && errno == ENOENT) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        struct stat st;
        if (!*name || lstat(path, &st) == 0)
            return error_refuse(e, ENOENT, "'%s' is a directory, or a link to a file that does not exist",
                                path);
        _cleanup_free_ char *above = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
        _cleanup_free_ char *directory = realpath(above, NULL);
        if (!directory)
            return error_os(e, errno, "cannot find the directory of '%s'", path);
        ret->path = xasprintf("%s/%s", directory, name);
    }
    if (!ret->path)
        return error_os(e, errno, "cannot find '%s'", path);
    ret->name = xstrdup(strrchr(ret->path, '/') + 1);
    return 0;
}

/* Opens and reads the file at 'path', and locks its directory. The caller calls target_done(), also after a
 * failure. */
static int target_open(const char *path, struct target *ret, struct error *e)
{
    *ret = (struct target){.dirfd = -1, .mode = 0640, .uid = (uid_t)-1, .gid = (gid_t)-1};
    int r = resolve(path, ret, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *directory = xstrndup(ret->path, (size_t)(strrchr(ret->path, '/') - ret->path) + 1);
    ret->dirfd = open_dir_at(AT_FDCWD, directory, e);
    if (ret->dirfd < 0)
        return ret->dirfd;
    if (flock(ret->dirfd, LOCK_EX) < 0)
        return error_os(e, errno, "cannot lock the directory of '%s'", path);
    _cleanup_close_ int fd =
        openat(ret->dirfd, ret->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        ret->text = xstrdup("");
        return 0;
    }
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot open '%s'", path);
    ret->exists = true;
    ret->mode = st.st_mode & 07777;
    ret->uid = st.st_uid;
    ret->gid = st.st_gid;
    return read_open_file(fd, path, DOCUMENT_MAX, &ret->text, &ret->size, e);
}

/* Replaces the file, unless it has this text. */
static int target_write(const struct target *target, const char *text, size_t size, struct error *e)
{
    if (target->exists && size == target->size && memcmp(text, target->text, size) == 0)
        return 0;
    int r = file_fits(target->path, size, DOCUMENT_MAX, e);
    if (r < 0)
        return r;
    r = replace_file_at(target->dirfd, target->name, text, size, target->mode, target->uid, target->gid, e);
    return r < 0 ? error_prefix(e, "'%s' was left as it was", target->path) : 0;
}

static int read_setup(const char *prefix, struct setup *ret, struct error *e)
{
    struct environment environment;
    bool known = environment_read(&environment, NULL) == 0;
    _cleanup_free_ char *path = xasprintf("%s/.innerstack/app_replica.json", prefix), *data = NULL;
    size_t size;
    int r = read_file_at(AT_FDCWD, path, SPEC_MAX, &data, &size, e);
    if (r < 0)
        return error_prefix(e, "Not App Instance Setup");
    return setup_parse(data, size, known ? &environment.identity : NULL, ret, e);
}

int command_render(const char *prefix, const char *in, const char *out, struct error *e)
{
    _cleanup_(setup_clear) struct setup setup = {.root = NULL};
    _cleanup_(target_done) struct target target = {.dirfd = -1};
    _cleanup_free_ char *path = realpath(in, NULL), *template = NULL;
    size_t size;
    if (!path)
        return error_os(e, errno, "cannot find '%s'", in);
    int r = read_setup(prefix, &setup, e);
    if (r < 0 || (r = read_file_at(AT_FDCWD, path, DOCUMENT_MAX, &template, &size, e)) < 0)
        return r;
    if (strlen(template) != size)
        return error_refuse(e, EINVAL, "'%s' contains a NUL, and is no text", in);
    r = target_open(out, &target, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *text = template_expand(template, variables_lookup, setup.variables);
    return target_write(&target, text, strlen(text), e);
}

int command_merge(const char *prefix, const char *field, const char *path, struct error *e)
{
    _cleanup_(setup_clear) struct setup setup = {.root = NULL};
    _cleanup_(target_done) struct target target = {.dirfd = -1};
    _cleanup_free_ char *value = NULL, *text = NULL;
    const char *type;
    enum config_format format;
    size_t size;
    int r = read_setup(prefix, &setup, e);
    if (r < 0 || (r = setup_find_config(&setup, field, &value, &type, e)) < 0)
        return r;
    if (!*value)
        return 0;
    if ((r = config_format(type, path, &format, e)) < 0 || (r = target_open(path, &target, e)) < 0)
        return r;
    _cleanup_free_ char *name = xasprintf("'%s'", path), *value_name = xasprintf("config field '%s'", field);
    r = config_merge(format, name, target.text, target.size, value_name, value, &text, &size, e);
    return r < 0 ? r : target_write(&target, text, size, e);
}

int command_export(const char *prefix, struct error *e)
{
    _cleanup_(setup_clear) struct setup setup = {.root = NULL};
    int r = read_setup(prefix, &setup, e);
    if (r < 0)
        return r;
    _cleanup_free_ char *text = setup_export(&setup);
    if (puts(text) < 0 || fflush(stdout) != 0)
        return error_os(e, errno, "cannot write to standard output");
    return 0;
}
