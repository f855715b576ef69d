/* Implements anonymous.h. */
#include "reconciler/rules/anonymous.h"

#include <stdlib.h>

#include "lib/app/volume.h"
#include "lib/basic/cleanup.h"

char **anonymous_paths(const struct driver_container *c, size_t *ret_n)
{
    static const struct app_volume_rules rules = {0};
    char **paths = xcalloc(c->n_anonymous_volumes + 1, sizeof *paths);
    size_t n = 0;
    for (size_t i = 0; i < c->n_anonymous_volumes; i++) {
        struct error ignored = ERROR_INIT;
        if (app_volume_check(c->anonymous_volumes[i]->path, &rules, &ignored) >= 0)
            paths[n++] = c->anonymous_volumes[i]->path;
    }
    *ret_n = n;
    return paths;
}

/* The time of the start belongs to one run: each start sets it anew. */
char *anonymous_run(const struct driver_container *c)
{
    return xasprintf("%s %lld", c->id ?: "", (long long)c->started_at);
}

bool anonymous_unsaved(const struct driver_container *c, const char *copied)
{
    size_t n;
    if (c->state == DRIVER_MISSING)
        return false;
    free(anonymous_paths(c, &n));
    _cleanup_free_ char *run = anonymous_run(c);
    return n > 0 && !streq_null(run, copied);
}
