/* Implements strays.h. */
#include "quota-keeper/strays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/printable.h"

#define PATH_LENGTH 1024 /* bytes of a path that is reported */
#define BLOCK       512  /* bytes, the unit of st_blocks */

bool quota_is_known(const struct kernel *k, int fd, const struct kernel_quota *quota)
{
    struct kernel_quota defaults;
    if (!kernel_quota_known(quota) || quota->used || quota->used_inodes)
        return kernel_quota_known(quota);
    return k->get(k, fd, 0, &defaults) < 0 ||
           memcmp(&quota->limits, &defaults.limits, sizeof defaults.limits) != 0;
}

bool project_is_known(const struct kernel *k, int fd, uint32_t project)
{
    struct kernel_quota quota;
    return k->get(k, fd, project, &quota) < 0 || quota_is_known(k, fd, &quota);
}

static char *path_of(int fd)
{
    char link[64], path[PATH_LENGTH];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path);
    if (n <= 0 || (size_t)n >= sizeof path)
        return NULL;
    path[n] = '\0';
    return printable(path);
}

static struct stray *find(struct strays *s, uint32_t project, int fd)
{
    for (size_t i = s->n; i > 0; i--)
        if (s->named[i - 1].project == project)
            return &s->named[i - 1];
    struct stray *stray = s->n < STRAYS_NAMED ? &s->named[s->n++] : &s->rest;
    if (!stray->project)
        *stray = (struct stray){.project = project, .path = path_of(fd)};
    return stray;
}

static void look_for_free(struct strays *s, uint32_t project, int fd)
{
    if (project < s->id_min || project > s->id_max || project_is_known(s->kernel, fd, project))
        return;
    s->freed[s->n_freed++] = project;
    s->enough = s->n_freed == STRAYS_FREED;
}

void strays_add(struct strays *s, uint32_t project, int fd, const struct stat *st)
{
    struct stray *stray = find(s, project, fd);
    double part = st && S_ISREG(st->st_mode) && st->st_nlink > 1 ? 1.0 / (double)st->st_nlink : 1.0;
    stray->files += part;
    stray->bytes += st ? part * (double)st->st_blocks * BLOCK : 0;
    if (s->by_id && project <= ID_MAX)
        s->by_id[project] += part;
    if (s->kernel && !s->enough)
        look_for_free(s, project, fd);
}

void strays_clear(struct strays *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->named[i].path);
    memset(s->named, 0, sizeof s->named);
    free(s->rest.path);
    s->n = 0;
    s->rest = (struct stray){.path = NULL};
    for (size_t i = 0; s->by_id && i <= ID_MAX; i++)
        s->by_id[i] = 0;
}
