/* Implements kernel.h by system calls on XFS and ext4.
 *
 * Both filesystems support the Q_X commands, which count in blocks of 512 bytes (linux/dqblk_xfs.h), and
 * store a file's project in struct fsxattr (linux/fs.h). quotactl_fd(2) exists since Linux 5.14; on older
 * kernels quotactl(2) names the block device. */
#include "quota-keeper/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BLOCK       512        /* bytes, of the Q_X commands */
#define ROUNDING    (64 << 10) /* bytes: the largest block of a filesystem */
#define BLOCKS_MAX  ((int64_t)1 << 53)
#define DEVICE_PATH "/dev/block/%u:%u"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

static int command(int fd, int cmd, uint32_t project, void *data)
{
    cmd = QCMD(cmd, PRJQUOTA);
    if (syscall(SYS_quotactl_fd, fd, cmd, project, data) == 0)
        return 0;
    if (errno != ENOSYS)
        return -errno;
    /* Either the kernel is older, or ENOSYS comes from the filesystem; then the second call returns it
     * again. */
    struct stat st;
    char device[64];
    if (fstat(fd, &st) < 0)
        return -errno;
    if (major(st.st_dev) == 0)
        return -ENOSYS; /* no block device, so that there are no quotas */
    snprintf(device, sizeof device, DEVICE_PATH, major(st.st_dev), minor(st.st_dev));
    if (syscall(SYS_quotactl, cmd, device, project, data) == 0)
        return 0;
    return errno == ENOENT || errno == ENOTBLK ? -ENOSYS : -errno;
}

static int linux_state(const struct kernel *k, int fd, struct kernel_state *ret)
{
    (void)k;
    struct fs_quota_statv state = {.qs_version = FS_QSTATV_VERSION1};
    int r = command(fd, Q_XGETQSTATV, 0, &state);
    if (r < 0)
        return r;
    *ret = (struct kernel_state){.accounted = state.qs_flags & FS_QUOTA_PDQ_ACCT,
                                 .enforced = state.qs_flags & FS_QUOTA_PDQ_ENFD};
    return 0;
}

static int64_t to_bytes(uint64_t blocks)
{
    return blocks > (uint64_t)BLOCKS_MAX ? BLOCKS_MAX * BLOCK : (int64_t)blocks * BLOCK;
}

static void take(const struct fs_disk_quota *d, struct kernel_quota *ret)
{
    *ret = (struct kernel_quota){
        .limits = {.soft = to_bytes(d->d_blk_softlimit),
                   .hard = to_bytes(d->d_blk_hardlimit),
                   .inodes_soft = (int64_t)d->d_ino_softlimit,
                   .inodes = (int64_t)d->d_ino_hardlimit},
        .used = to_bytes(d->d_bcount),
        .used_inodes = (int64_t)d->d_icount,
    };
}

static int linux_get(const struct kernel *k, int fd, uint32_t project, struct kernel_quota *ret)
{
    (void)k;
    struct fs_disk_quota d = {0};
    int r = command(fd, Q_XGETQUOTA, project, &d);
    if (r == -ENOENT) { /* XFS has no record of the project */
        *ret = (struct kernel_quota){.used = 0};
        return 0;
    }
    if (r >= 0)
        take(&d, ret);
    return r;
}

static int linux_next(const struct kernel *k, int fd, uint32_t project, uint32_t *ret_project,
                      struct kernel_quota *ret)
{
    (void)k;
    struct fs_disk_quota d = {0};
    int r = command(fd, Q_XGETNEXTQUOTA, project, &d);
    if (r < 0)
        return r == -ESRCH ? -ENOENT : r;
    take(&d, ret);
    *ret_project = d.d_id;
    return 0;
}

/* Rounds up to whole KiB, the unit in which ext4 stores limits. */
static uint64_t to_blocks(int64_t bytes)
{
    if (bytes >= BLOCKS_MAX * BLOCK)
        return (uint64_t)BLOCKS_MAX;
    return ((uint64_t)bytes + 1023) / 1024 * (1024 / BLOCK);
}

static int linux_set(const struct kernel *k, int fd, uint32_t project, const struct kernel_limits *limits)
{
    (void)k;
    struct fs_disk_quota d = {
        .d_version = FS_DQUOT_VERSION,
        .d_flags = FS_PROJ_QUOTA,
        .d_fieldmask = FS_DQ_BSOFT | FS_DQ_BHARD | FS_DQ_ISOFT | FS_DQ_IHARD,
        .d_id = project,
        .d_blk_softlimit = to_blocks(limits->soft),
        .d_blk_hardlimit = to_blocks(limits->hard),
        .d_ino_softlimit = (uint64_t)limits->inodes_soft,
        .d_ino_hardlimit = (uint64_t)limits->inodes,
    };
    return command(fd, Q_XSETQLIM, project, &d);
}

static int linux_read_tag(const struct kernel *k, int fd, struct kernel_tag *ret)
{
    (void)k;
    struct fsxattr attributes;
    if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
        return -errno;
    *ret = (struct kernel_tag){attributes.fsx_projid, attributes.fsx_xflags & FS_XFLAG_PROJINHERIT};
    return 0;
}

static int linux_write_tag(const struct kernel *k, int fd, const struct kernel_tag *tag)
{
    (void)k;
    struct fsxattr attributes;
    if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
        return -errno;
    attributes.fsx_projid = tag->project;
    attributes.fsx_xflags &= ~(__u32)FS_XFLAG_PROJINHERIT;
    attributes.fsx_xflags |= tag->inherit ? FS_XFLAG_PROJINHERIT : 0;
    return ioctl(fd, FS_IOC_FSSETXATTR, &attributes) < 0 ? -errno : 0;
}

static const char *const filesystems[] = {"xfs", "ext4", NULL};

const struct kernel kernel_linux = {
    .filesystems = filesystems,
    .state = linux_state,
    .get = linux_get,
    .next = linux_next,
    .set = linux_set,
    .read_tag = linux_read_tag,
    .write_tag = linux_write_tag,
};

static bool bytes_match(int64_t set, int64_t read)
{
    if (set >= BLOCKS_MAX * BLOCK)
        return read >= BLOCKS_MAX * BLOCK - ROUNDING;
    return read >= set && read - set < ROUNDING && !read == !set;
}

bool kernel_limits_match(const struct kernel_limits *set, const struct kernel_limits *read)
{
    return bytes_match(set->soft, read->soft) && bytes_match(set->hard, read->hard) &&
           set->inodes_soft == read->inodes_soft && set->inodes == read->inodes;
}
