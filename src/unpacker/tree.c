/* Implements tree.h. */
#include "unpacker/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/basic/fs.h"
#include "lib/package/entry.h"

/* Limits the memory for directory names, because a hostile archive determines their number and length. */
#define DIRECTORY_NAMES_MAX ((size_t)64 * 1024 * 1024)

struct directory {
    char *name;
    mode_t mode;
    struct timespec modified;
};

struct tree {
    int root;
    char *parent; /* the directory on which parent_fd is open; NULL: none */
    int parent_fd;
    struct directory *directories;
    size_t n_directories, room, names_size;
};

struct tree *tree_new(int root)
{
    struct tree *t = xcalloc(1, sizeof *t);
    t->root = root;
    t->parent_fd = -1;
    return t;
}

struct tree *tree_free(struct tree *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->n_directories; i++)
        free(t->directories[i].name);
    free(t->directories);
    free(t->parent);
    close_fd(t->parent_fd);
    free(t);
    return NULL;
}

static int refuse(const char *name, int errnum, const char *why, struct error *e)
{
    _cleanup_free_ char *text = entry_printable(name);
    return error_refuse(e, errnum, "entry '%s' %s", text, why);
}

static int failed(const char *name, int errnum, struct error *e)
{
    _cleanup_free_ char *text = entry_printable(name);
    switch (errnum) {
    case EEXIST:
        return refuse(name, errnum, "comes twice", e);
    /* ELOOP: a directory of the path is a symbolic link. The kernel returns ENOTDIR if it is the last one, as
     * for a file. */
    case ELOOP:
    case ENOTDIR:
        return refuse(name, errnum, "lies beneath a symbolic link or a file", e);
    case ENAMETOOLONG:
        return refuse(name, errnum, "has a name that is too long", e);
    default:
        return error_os(e, errnum, "entry '%s' cannot be written", text);
    }
}

/* Makes the directory 'name' and its parents, which the archive does not contain. */
static int make_parents(struct tree *t, const char *name, struct error *e)
{
    _cleanup_free_ char *path = xstrdup(name);
    for (char *slash = path; slash; slash = strchr(slash + 1, '/')) {
        char *end = strchrnul(slash + 1, '/');
        char kept = *end;
        *end = '\0';
        char *last = strrchr(path, '/');
        _cleanup_close_ int above = -1;
        if (last) {
            *last = '\0';
            above = open_beneath(t->root, path, O_PATH | O_DIRECTORY, 0, e);
            *last = '/';
            if (above < 0)
                return failed(name, -above, e);
        }
        if (mkdirat(last ? above : t->root, last ? last + 1 : path, 0755) < 0 && errno != EEXIST)
            return failed(name, errno, e);
        *end = kept;
    }
    return 0;
}

/* Returns the directory that contains 'name' and the last part of the name. The descriptor stays open until
 * another directory is needed. */
static int open_parent(struct tree *t, const char *name, int *ret_fd, const char **ret_last, struct error *e)
{
    const char *slash = strrchr(name, '/');
    if (!slash) {
        *ret_fd = t->root;
        *ret_last = name;
        return 0;
    }
    size_t n = (size_t)(slash - name);
    if (!t->parent || strlen(t->parent) != n || memcmp(t->parent, name, n) != 0) {
        _cleanup_free_ char *parent = xstrndup(name, n);
        int fd = open_beneath(t->root, parent, O_PATH | O_DIRECTORY, 0, NULL);
        if (fd == -ENOENT) {
            int r = make_parents(t, parent, e);
            if (r < 0)
                return r;
            fd = open_beneath(t->root, parent, O_PATH | O_DIRECTORY, 0, NULL);
        }
        if (fd < 0)
            return failed(name, -fd, e);
        close_fd(t->parent_fd);
        free(t->parent);
        t->parent_fd = fd;
        t->parent = TAKE_PTR(parent);
    }
    *ret_fd = t->parent_fd;
    *ret_last = slash + 1;
    return 0;
}

static int remember(struct tree *t, const char *name, mode_t mode, struct timespec modified, struct error *e)
{
    t->names_size += strlen(name) + 1 + sizeof(struct directory);
    if (t->names_size > DIRECTORY_NAMES_MAX)
        return refuse(name, EFBIG, "is one too many: the names of all directories take too much memory", e);
    if (t->n_directories == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->directories = xrealloc(t->directories, t->room, sizeof *t->directories);
    }
    t->directories[t->n_directories++] = (struct directory){xstrdup(name), mode, modified};
    return 0;
}

int tree_add_directory(struct tree *t, const char *name, mode_t mode, struct timespec modified,
                       struct error *e)
{
    if (!*name)
        return remember(t, name, mode | 0755, modified, e);
    int parent;
    const char *last;
    int r = open_parent(t, name, &parent, &last, e);
    if (r < 0)
        return r;
    if (mkdirat(parent, last, 0755) < 0) {
        struct stat st;
        int why = errno;
        if (why != EEXIST || fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
            return failed(name, why, e);
    }
    return remember(t, name, mode | 0700, modified, e);
}

int tree_add_symlink(struct tree *t, const char *name, const char *target, struct timespec modified,
                     struct error *e)
{
    int parent;
    const char *last;
    int r = open_parent(t, name, &parent, &last, e);
    if (r < 0)
        return r;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, modified};
    if (symlinkat(target, parent, last) < 0 || utimensat(parent, last, times, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(name, errno, e);
    return 0;
}

int tree_begin_file(struct tree *t, const char *name, int *ret, struct error *e)
{
    int parent;
    const char *last;
    int r = open_parent(t, name, &parent, &last, e);
    if (r < 0)
        return r;
    int fd = open_beneath(parent, last, O_WRONLY | O_CREAT | O_EXCL, 0600, NULL);
    if (fd < 0)
        return failed(name, -fd, e);
    *ret = fd;
    return 0;
}

int tree_end_file(int fd, const char *name, mode_t mode, struct timespec modified, struct error *e)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, modified};
    int why = 0;
    if (fchmod(fd, mode) < 0 || futimens(fd, times) < 0)
        why = errno;
    if (close(fd) < 0 && why == 0)
        why = errno;
    return why ? failed(name, why, e) : 0;
}

int tree_finish(struct tree *t, struct error *e)
{
    /* The order is that of the archive: if a directory occurs twice, the later entry counts. */
    for (size_t i = 0; i < t->n_directories; i++) {
        const struct directory *d = &t->directories[i];
        struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, d->modified};
        _cleanup_close_ int fd =
            open_beneath(t->root, *d->name ? d->name : ".", O_RDONLY | O_DIRECTORY, 0, NULL);
        if (fd < 0)
            return failed(d->name, -fd, e);
        if (fchmod(fd, d->mode) < 0 || futimens(fd, times) < 0)
            return failed(d->name, errno, e);
    }
    return 0;
}
