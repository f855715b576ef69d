/* Implements users.h by trying in a child process: modes, access lists and mount options decide together, and
 * no function computes the result. */
#include "hostletd/users.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostletd/places.h"
#include "hostletd/setup.h"
#include "lib/basic/cleanup.h"

/* Returns the length of the first part of 'path' that the process cannot enter; 0: it can enter all. */
static size_t find_barrier(const char *path)
{
    _cleanup_free_ char *copy = xstrdup(path);
    for (char *c = copy + 1;; c++) {
        if (*c && *c != '/')
            continue;
        char kept = *c;
        *c = '\0';
        /* hostletd makes what does not exist yet, with a mode that lets all users enter. */
        if (access(copy, X_OK) < 0 && errno != ENOENT)
            return (size_t)(c - copy);
        *c = kept;
        if (!kept)
            return 0;
    }
}

struct barrier {
    /* 'length' is 0 if the user can enter all paths. */
    size_t path, length;
};

/* Runs in the child: becomes the user of the service, looks for the first path that he cannot enter, and
 * writes the result into the pipe. */
static void walk_as(const struct service_conf *conf, char *const *paths, size_t n, int answer)
{
    struct barrier barrier = {.length = 0};
    if (setgroups(conf->n_groups, conf->group_ids) < 0 || setresgid(conf->gid, conf->gid, conf->gid) < 0 ||
        setresuid(conf->uid, conf->uid, conf->uid) < 0)
        _exit(1);
    for (; barrier.path < n; barrier.path++)
        if ((barrier.length = find_barrier(paths[barrier.path])) > 0)
            break;
    _exit(write(answer, &barrier, sizeof barrier) == sizeof barrier ? 0 : 1);
}

static int check_one(const struct service_conf *conf, char *const *paths, size_t n_paths, struct error *e)
{
    int fds[2];
    struct barrier barrier;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return error_os(e, errno, "cannot make a pipe");
    _cleanup_close_ int reading = fds[0], writing = fds[1];
    pid_t pid = fork();
    if (pid < 0)
        return error_os(e, errno, "cannot start a process");
    if (pid == 0)
        walk_as(conf, paths, n_paths, writing);
    writing = close_fd(writing);
    ssize_t n = read(reading, &barrier, sizeof barrier);
    waitpid(pid, NULL, 0);
    if (n != sizeof barrier)
        return error_fail(e, EPERM, "cannot become user '%s' of service '%s'", conf->user, conf->name);
    if (barrier.length > 0)
        return error_refuse(
            e, EACCES,
            "user '%s' of service '%s' cannot enter '%.*s': let others pass there (chmod o+x), "
            "or choose another prefix",
            conf->user, conf->name, (int)barrier.length, paths[barrier.path]);
    return 0;
}

int setup_check_users(const struct tree *tree, const struct topology *topology, struct error *e)
{
    char *paths[32];
    size_t n = 0;
    int r = 0;
    for (const struct place *p = places; p->name && n < ARRAY_SIZE(paths); p++)
        if (p->flags & PLACE_FOR_ALL && (!p->service || topology_find(topology, p->service)))
            paths[n++] = place_path(tree, p);
    for (size_t i = 0; r >= 0 && i < topology->n_services; i++)
        if (topology->services[i]->uid != 0)
            r = check_one(topology->services[i], paths, n, e);
    while (n > 0)
        free(paths[--n]);
    return r;
}
