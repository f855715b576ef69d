/* The kernel's part of project quotas, as a table: the real one calls XFS and ext4 by ioctl and quotactl, the
 * one of the unit tests lives in memory. Every call takes a descriptor of any file on the filesystem that is
 * meant, so that no path and no device has to be guessed.
 *
 * Limits and use are in bytes and inodes; a limit of 0 is none. Filesystems round limits up to their blocks.
 */
#pragma once

#include <stdint.h>

#include "lib/basic/util.h"

struct kernel_state {
    bool accounted; /* use is counted per project */
    bool enforced;  /* and limits are held */
};
struct kernel_limits {
    int64_t soft, hard, inodes_soft, inodes;
};
struct kernel_quota {
    struct kernel_limits limits;
    int64_t used, used_inodes;
};
struct kernel_tag {
    uint32_t project;
    bool inherit; /* what is made in this directory gets the project too */
};

struct kernel {
    /* 0 or negative errno: −ENOSYS where the filesystem knows no quotas, or has all of them turned off. */
    int (*state)(const struct kernel *k, int fd, struct kernel_state *ret);
    /* A project that the kernel does not know is all zero. */
    int (*get)(const struct kernel *k, int fd, uint32_t project, struct kernel_quota *ret);
    /* The first known project from 'project' on; −ENOENT when there is none. */
    int (*next)(const struct kernel *k, int fd, uint32_t project, uint32_t *ret_project,
                struct kernel_quota *ret);
    int (*set)(const struct kernel *k, int fd, uint32_t project, const struct kernel_limits *limits);
    /* The project of one file or directory. Writing keeps its other attributes. −EOPNOTSUPP, −ENOTTY where
     * the filesystem has no place for it. */
    int (*read_tag)(const struct kernel *k, int fd, struct kernel_tag *ret);
    int (*write_tag)(const struct kernel *k, int fd, const struct kernel_tag *tag);
    const char *const
        *filesystems; /* by type, those that it can do it on; ends with NULL. NULL: all of them */
    void *userdata;
};

extern const struct kernel kernel_linux;

/* Whether limits that were read back are those that were set: filesystems round up. */
bool kernel_limits_match(const struct kernel_limits *set, const struct kernel_limits *read);

/* Whether anybody has used a project, or limited it. */
static inline bool kernel_quota_known(const struct kernel_quota *q)
{
    return q->used || q->used_inodes || q->limits.soft || q->limits.hard || q->limits.inodes_soft ||
           q->limits.inodes;
}
