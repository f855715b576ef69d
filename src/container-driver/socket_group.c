/* Implements socket_group.h. It opens the path one name after the other, so that it can check the owner of
 * each. */
#include "container-driver/socket_group.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"

#define LINKS_MAX 40

struct walk {
    const char *path; /* the whole path, for messages */
    int at;           /* the directory reached so far */
    char *rest;       /* the names that are left */
    uid_t owner;      /* of all parts that root does not own; 0: none so far */
    unsigned links;
};

static int check_owner(struct walk *w, const struct stat *st, struct error *e)
{
    if (st->st_uid == 0 || st->st_uid == w->owner)
        return 0;
    if (w->owner != 0)
        return error_refuse(e, EPERM, "users %u and %u own parts of the path '%s'", w->owner, st->st_uid,
                            w->path);
    w->owner = st->st_uid;
    return 0;
}

/* Puts the target of a symbolic link in front of the names that are left. */
static int follow(struct walk *w, int link, struct error *e)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(link, "", target, sizeof target - 1);
    if (n < 0 || ++w->links > LINKS_MAX)
        return error_os(e, n < 0 ? errno : ELOOP, "cannot follow '%s'", w->path);
    target[n] = '\0';
    _cleanup_free_ char *before = w->rest;
    w->rest = xasprintf("%s/%s", target, before);
    return 0;
}

/* Opens the next name. Returns 1 when it is the last one (*ret contains its attributes), 0 when names are
 * left, or a negative errno. */
static int step(struct walk *w, struct stat *ret, struct error *e)
{
    if (*w->rest == '/') {
        close_fd(w->at);
        w->at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    char *name = w->rest + strspn(w->rest, "/");
    size_t size = strcspn(name, "/");
    _cleanup_free_ char *one = xstrndup(name, size);
    char *rest = xstrdup(name + size + strspn(name + size, "/"));
    free(w->rest);
    w->rest = rest;
    _cleanup_close_ int fd = openat(w->at, size > 0 ? one : ".", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, ret) < 0)
        return error_os(e, errno, "cannot read the attributes of '%s'", w->path);
    int r = check_owner(w, ret, e);
    if (r < 0)
        return r;
    if (S_ISLNK(ret->st_mode))
        return follow(w, fd, e);
    if (!*w->rest)
        return 1;
    close_fd(w->at);
    w->at = TAKE_FD(fd);
    return 0;
}

int socket_group(const char *path, gid_t *ret, struct error *e)
{
    struct walk w = {.path = path, .at = -1, .rest = xasprintf("/%s", path)};
    struct stat st;
    int r;
    while ((r = step(&w, &st, e)) == 0)
        ;
    close_fd(w.at);
    free(w.rest);
    if (r < 0)
        return r;
    if (!S_ISSOCK(st.st_mode))
        return error_refuse(e, ENOTSOCK, "'%s' is not a socket", path);
    if (w.owner != 0 && w.owner != st.st_uid)
        return error_refuse(e, EPERM, "user %u owns a part of the path '%s', whose socket is of user %u",
                            w.owner, path, st.st_uid);
    *ret = st.st_gid;
    return 0;
}
