/* Opens replicas' directories and finds their mount points and what the filesystems there can enforce.
 * Everything is found from the directories themselves. Nothing is kept open or stored longer than one job
 * runs: a filesystem can be unmounted, and mounted again without quotas. */
#pragma once

#include "lib/mounts/mountinfo.h"
#include "quota-keeper/kernel.h"

struct filesystem {
    struct mount mount;
    struct kernel_state state;
    char *reason, *remedy; /* why limits are not enforced, and the remedy; NULL: they are */
};

/* What one job has opened and read so far. */
struct places {
    const struct kernel *kernel; /* borrowed, as 'apps' is */
    const char *apps;
    int apps_fd;
    char *mountinfo;
    struct filesystem **filesystems;
    size_t n_filesystems;
};
int places_open(struct places *places, const struct kernel *kernel, const char *apps, struct error *e);
void places_close(struct places *places);

struct place {
    int fd;                              /* of the directory */
    char *path;                          /* APPS/NAME, or the app path */
    const struct filesystem *filesystem; /* owned by 'places' */
};
#define PLACE_INIT                                                                                           \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* Opens the directory APPS/NAME, or the app path itself ('name' NULL). Returns 0 or a negative errno;
 * −ENOENT (class NotFound) if there is no such directory. */
int place_open(struct places *places, const char *name, struct place *ret, struct error *e);
/* Opens the container's directory, or its newest kept data, or the app path. *ret_gone is set in the last
 * case: the place then only shows a filesystem. */
int place_open_any(struct places *places, const char *container, struct place *ret, bool *ret_gone,
                   struct error *e);
void place_clear(struct place *place);

/* Returns 0, or NotSupported with reason and remedy where limits are not enforced. */
int place_check_enforced(const struct place *place, struct error *e);

/* Describes why a filesystem does not enforce limits, and the remedy: both are allocated, or both are NULL
 * where it does. 'state_result' is the result of reading the state (0 or a negative errno), 'tag_result'
 * that of reading a directory's project. */
void filesystem_explain(const struct kernel *kernel, const struct mount *mount, int state_result,
                        const struct kernel_state *state, int tag_result, char **ret_reason,
                        char **ret_remedy);
