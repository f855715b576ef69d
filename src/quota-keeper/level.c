/* Implements level.h. */
#include "quota-keeper/level.h"

static enum quota_level level_of(int64_t used, int64_t soft, int64_t hard, int64_t threshold)
{
    int64_t limit = hard ?: soft;
    if (limit == 0)
        return QUOTA_BELOW;
    if (hard && used > hard)
        return QUOTA_OVER;
    if (hard && used == hard)
        return QUOTA_FULL;
    if (soft && used > soft)
        return QUOTA_SOFT;
    return (double)used * 100 >= (double)limit * (double)threshold ? QUOTA_THRESHOLD : QUOTA_BELOW;
}

enum quota_level quota_level(const struct kernel_quota *quota, int64_t threshold)
{
    const struct kernel_limits *l = &quota->limits;
    enum quota_level bytes = level_of(quota->used, l->soft, l->hard, threshold),
                     inodes = level_of(quota->used_inodes, l->inodes_soft, l->inodes, threshold);
    return bytes > inodes ? bytes : inodes;
}
