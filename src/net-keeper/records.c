/* Implements records.h. */
#include "net-keeper/records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "net-keeper/records_text.h"

#define PLACE       "indns_conf.d" /* both names are defined by the contract */
#define NAME        "innerstack.toml"
#define PLACE_MODE  01775
#define RECORDS_MAX ((size_t)32 << 20) /* bytes of a file that is compared */

static bool is_wanted(const struct config *config)
{
    return *config_string(config, "zone", "dns_servers") != '\0';
}

/* Returns the configured path, or NULL. */
static const char *configured(const struct config *config)
{
    const char *path = config_string(config, "net-keeper", "dns_records");
    return *path ? path : NULL;
}

static char *path_of(const struct tree *tree, const struct config *config)
{
    const char *path = configured(config);
    return path ? xstrdup(path) : xasprintf("%s/" PLACE "/" NAME, tree->etc);
}

static char *directory_of(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    *ret_name = slash + 1;
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* --- before the process serves --- */

/* Gives a file to the process. A file of several names is left as it is: the process can write in the
 * directory, and could have linked to another user's file where the system allows it. */
static int give_file(const char *path, uid_t uid, gid_t gid, struct error *e)
{
    struct stat st;
    _cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_os(e, errno, "cannot open '%s'", path);
    if (st.st_nlink == 1 && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
        return error_os(e, errno, "cannot change the owner of '%s'", path);
    return 0;
}

int records_make_place(const struct tree *tree, const struct config *config, uid_t uid, gid_t gid,
                       struct error *e)
{
    const char *name;
    if (!is_wanted(config))
        return 0;
    uid_t root = uid == (uid_t)-1 ? uid : 0; /* without a jail, the process is the owner */
    _cleanup_free_ char *path = path_of(tree, config), *directory = directory_of(path, &name);
    if (configured(config))
        return access(directory, F_OK) == 0 ? 0 : give_dir_below(directory, ".", root, gid, PLACE_MODE, e);
    int r = give_dir_below(tree->etc, PLACE, root, gid, PLACE_MODE, e);
    /* The original agent's file is replaced, which only its owner can do in a sticky directory. */
    return r < 0 ? r : give_file(path, uid, gid, e);
}

int records_check(const struct tree *tree, const struct config *config, struct error *e)
{
    const char *name;
    if (!is_wanted(config) || !configured(config))
        return 0;
    _cleanup_free_ char *path = path_of(tree, config), *directory = directory_of(path, &name);
    if (!*name)
        return error_refuse(e, EISDIR, "[net-keeper] dns_records: '%s' is a directory", path);
    if (access(directory, W_OK | X_OK) < 0 && errno != ENOENT)
        return error_refuse(
            e, errno,
            "[net-keeper] dns_records: net-keeper cannot write in '%s': give it to the group of its "
            "user (chgrp hostlet-net-keeper '%s'; chmod g+w,+t '%s')",
            directory, directory, directory);
    return 0;
}

/* --- the file --- */

/* Deletes the temporary files that a process left when it was killed. */
static void sweep(int dirfd, const char *name)
{
    _cleanup_free_ char *prefix = xasprintf(".%s.", name);
    int fd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
    _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        close_fd(fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (after_prefix(entry->d_name, prefix) && has_suffix(entry->d_name, ".tmp"))
            (void)unlinkat(dirfd, entry->d_name, 0);
}

/* Opens the file's directory and reads the file. *ret_text is NULL if it cannot be read. Returns the
 * descriptor of the directory, or a negative errno. */
static int open_present(const char *path, const char **ret_name, char **ret_text, size_t *ret_size,
                        struct error *e)
{
    _cleanup_free_ char *directory = directory_of(path, ret_name);
    struct error ignored = ERROR_INIT;
    int dirfd = open_dir_at(AT_FDCWD, directory, e);
    if (dirfd >= 0)
        (void)read_file_at(dirfd, *ret_name, RECORDS_MAX, ret_text, ret_size, &ignored);
    return dirfd;
}

/* Returns 1 if the file was written, 0 if it was right, or a negative errno. */
static int write_file(const char *path, const char *text, size_t size, struct error *e)
{
    const char *name;
    size_t present_size = 0;
    _cleanup_free_ char *present = NULL;
    _cleanup_close_ int dirfd = open_present(path, &name, &present, &present_size, e);
    if (dirfd < 0)
        return dirfd;
    if (present && present_size == size && memcmp(present, text, size) == 0)
        return 0;
    sweep(dirfd, name);
    int r = failpoint_error("records.before_write", e);
    if (r >= 0)
        r = replace_file_at(dirfd, name, text, size, 0644, (uid_t)-1, (gid_t)-1, e);
    return r < 0 ? r : 1;
}

/* Returns 1 if the file was deleted, 0 if there was none of hostlet, or a negative errno. */
static int remove_file(const char *path, struct error *e)
{
    const char *name;
    size_t size;
    _cleanup_free_ char *present = NULL;
    _cleanup_close_ int dirfd = open_present(path, &name, &present, &size, e);
    if (dirfd < 0)
        return dirfd == -ENOENT ? 0 : dirfd;
    sweep(dirfd, name);
    if (!present || !after_prefix(present, RECORDS_HEADER))
        return 0;
    return unlinkat(dirfd, name, 0) == 0 ? 1 : error_os(e, errno, "cannot delete it");
}

void records_begin(struct records *r, const struct tree *tree, const struct config *config)
{
    *r = (struct records){.path = path_of(tree, config), .wanted = is_wanted(config)};
}

void records_done(struct records *r)
{
    free(r->path);
    free(r->problem);
    *r = (struct records){0};
}

bool records_set(struct records *r, const struct net_network *network)
{
    struct error e = ERROR_INIT;
    size_t size;
    bool write = network && r->wanted;
    _cleanup_free_ char *problem = NULL, *text = write ? records_text(network, &size, &problem) : NULL;
    int done = write ? write_file(r->path, text, size, &e) : remove_file(r->path, &e);
    r->failed = done < 0;
    if (r->failed) {
        free(problem);
        problem = xasprintf("the file of names '%s' is not %s: %s", r->path, write ? "written" : "deleted",
                            e.message);
    }
    if (problem && !streq_null(r->problem, problem))
        log_warning("%s", problem);
    set_string(&r->problem, problem);
    if (done > 0)
        log_info("the file of names '%s' is %s", r->path, write ? "written" : "deleted");
    return done > 0;
}
