/* The kernel's interface to project quotas as a table of functions: kernel_linux calls XFS and ext4 by ioctl
 * and quotactl, the table of the unit tests simulates them in memory. Every function takes a descriptor of
 * any file on the filesystem in question, so that no path and no device has to be found.
 *
 * Limits and usage are in bytes and inodes; a limit of 0 is no limit. Filesystems round limits up to their
 * blocks. */
#pragma once

#include <stdint.h>

#include "lib/basic/util.h"

struct kernel_state {
    bool accounted; /* usage is counted per project */
    bool enforced;  /* limits are enforced */
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
    bool inherit; /* new entries of this directory get the project, too */
};

struct kernel {
    /* Returns 0 or a negative errno; −ENOSYS: the filesystem has no quotas, or all of them are off. */
    int (*state)(const struct kernel *k, int fd, struct kernel_state *ret);
    /* Reads limits and usage. For a project without a record in the kernel everything is zero. */
    int (*get)(const struct kernel *k, int fd, uint32_t project, struct kernel_quota *ret);
    /* Finds the first project with a record from 'project' on; −ENOENT if there is none. */
    int (*next)(const struct kernel *k, int fd, uint32_t project, uint32_t *ret_project,
                struct kernel_quota *ret);
    int (*set)(const struct kernel *k, int fd, uint32_t project, const struct kernel_limits *limits);
    /* Read and write the project of one file or directory. Writing keeps its other attributes. −EOPNOTSUPP
     * or −ENOTTY: the filesystem stores no project. */
    int (*read_tag)(const struct kernel *k, int fd, struct kernel_tag *ret);
    int (*write_tag)(const struct kernel *k, int fd, const struct kernel_tag *tag);
    /* Supported filesystem types, ending with NULL; NULL: all of them. */
    const char *const *filesystems;
    void *userdata;
};

extern const struct kernel kernel_linux;

/* Reports whether limits that were read back match those that were set: filesystems round up. */
bool kernel_limits_match(const struct kernel_limits *set, const struct kernel_limits *read);

/* Reports whether a project has usage or limits. */
static inline bool kernel_quota_known(const struct kernel_quota *q)
{
    return q->used || q->used_inodes || q->limits.soft || q->limits.hard || q->limits.inodes_soft ||
           q->limits.inodes;
}
