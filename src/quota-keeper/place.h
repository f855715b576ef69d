/* Where replicas' directories lie: their descriptors, their mount points, and what the filesystems there can
 * enforce. All of it is found from the directories themselves. Nothing is kept open or remembered longer than
 * one piece of work takes: a filesystem can be unmounted, and come back without quotas. */
#pragma once

#include "lib/mounts/mountinfo.h"
#include "quota-keeper/kernel.h"

struct filesystem {
    struct mount mount;
    struct kernel_state state;
    char *reason, *remedy; /* why limits are not enforced, and what would help; NULL: they are */
};

/* What one piece of work has seen so far. */
struct places {
    const struct kernel *kernel; /* borrowed, as the app path is */
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
    const struct filesystem *filesystem; /* of 'places' */
};
#define PLACE_INIT                                                                                           \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

/* The directory APPS/NAME, or the app path itself (NULL). −ENOENT (class NotFound) when there is no such
 * directory. */
int place_open(struct places *places, const char *name, struct place *ret, struct error *e);
/* The same, or the newest kept data of the container, or at least the app path, which says nothing of its
 * files: *ret_gone. */
int place_open_any(struct places *places, const char *container, struct place *ret, bool *ret_gone,
                   struct error *e);
void place_clear(struct place *place);

/* NotSupported with reason and remedy where limits are not enforced. */
int place_check_enforced(const struct place *place, struct error *e);

/* Why a filesystem does not enforce limits, and what would make it: both allocated, or both NULL where it
 * does. 'state_result' is what reading the state said (0 or negative errno), 'tag_result' the same for a
 * directory's project. */
void filesystem_explain(const struct kernel *kernel, const struct mount *mount, int state_result,
                        const struct kernel_state *state, int tag_result, char **ret_reason,
                        char **ret_remedy);
