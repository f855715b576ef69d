/* Implements place.h. */
#include "quota-keeper/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"

static void explain_xfs(const struct mount *m, bool accounted, char **reason, char **remedy)
{
    if (accounted) {
        *reason =
            xasprintf("XFS on '%s' counts per project, but is mounted with 'pqnoenforce'", m->mount_point);
        *remedy = xasprintf("mount it with 'prjquota' in place of 'pqnoenforce'");
        return;
    }
    *reason = xasprintf("XFS on '%s' is mounted without project quotas", m->mount_point);
    *remedy = streq(m->mount_point, "/")
                  ? xasprintf("add 'rootflags=prjquota' to the kernel's command line, and boot again")
                  : xasprintf("add 'prjquota' to its options in /etc/fstab, unmount it and mount it again (a "
                              "remount does not turn quotas on)");
}

static void explain_ext4(const struct mount *m, bool accounted, int tag_result, char **reason, char **remedy)
{
    if (tag_result < 0 || !accounted) {
        *reason = xasprintf("ext4 on '%s' lacks the features 'project' and 'quota'", m->mount_point);
        *remedy = xasprintf("%s, run 'tune2fs -O project,quota -Q prjquota %s', and mount it with 'prjquota'",
                            streq(m->mount_point, "/") ? "boot a rescue system" : "unmount it", m->source);
        return;
    }
    *reason = xasprintf("ext4 on '%s' counts per project, but is mounted without 'prjquota'", m->mount_point);
    *remedy = xasprintf("add 'prjquota' to its options in /etc/fstab, and mount it again");
}

static bool is_known(const struct kernel *kernel, const char *type)
{
    for (const char *const *f = kernel->filesystems; f; f++) {
        if (!*f)
            return false;
        if (streq(*f, type))
            return true;
    }
    return true;
}

/* Reports whether a system call's error means that there are no quotas. */
static bool means_none(int r)
{
    return r == -ENOSYS || r == -ESRCH || r == -EOPNOTSUPP || r == -EINVAL || r == -ENOTTY;
}

void filesystem_explain(const struct kernel *kernel, const struct mount *m, int state_result,
                        const struct kernel_state *state, int tag_result, char **ret_reason,
                        char **ret_remedy)
{
    bool known = is_known(kernel, m->type), accounted = state_result == 0 && state->accounted;
    *ret_reason = *ret_remedy = NULL;
    if (known && accounted && state->enforced && tag_result == 0)
        return;
    if (known && state_result < 0 && !means_none(state_result)) {
        *ret_reason = xasprintf("the quotas of %s on '%s' cannot be read: %s", m->type, m->mount_point,
                                strerror(-state_result));
        *ret_remedy = xstrdup("quota-keeper needs CAP_SYS_ADMIN, and a kernel with CONFIG_QUOTA");
    } else if (known && streq(m->type, "xfs")) {
        explain_xfs(m, accounted, ret_reason, ret_remedy);
    } else if (known && streq(m->type, "ext4")) {
        explain_ext4(m, accounted, tag_result, ret_reason, ret_remedy);
    } else {
        *ret_reason = xasprintf("'%s' is %s, which has no project quotas that hostlet can use",
                                m->mount_point, m->type);
        *ret_remedy = xstrdup("put 'app_path' on XFS mounted with 'prjquota', or on ext4 with the features "
                              "'project' and 'quota'");
    }
}

int places_open(struct places *places, const struct kernel *kernel, const char *apps, struct error *e)
{
    *places = (struct places){.kernel = kernel, .apps = apps, .apps_fd = -1};
    places->apps_fd = app_path_open(apps, e);
    int r = places->apps_fd < 0 ? places->apps_fd : mountinfo_read(&places->mountinfo, e);
    if (r < 0)
        places_close(places);
    return r;
}

void places_close(struct places *places)
{
    for (size_t i = 0; i < places->n_filesystems; i++) {
        struct filesystem *f = places->filesystems[i];
        mount_clear(&f->mount);
        free(f->reason);
        free(f->remedy);
        free(f);
    }
    free(places->filesystems);
    free(places->mountinfo);
    places->apps_fd = close_fd(places->apps_fd);
    places->filesystems = NULL;
    places->n_filesystems = 0;
    places->mountinfo = NULL;
}

static const struct filesystem *find_filesystem(struct places *places, int fd, struct error *e)
{
    struct statx st;
    struct kernel_tag tag;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID)) {
        error_os(e, errno ?: ENOSYS, "cannot find its mount");
        return NULL;
    }
    for (size_t i = 0; i < places->n_filesystems; i++)
        if (places->filesystems[i]->mount.id == (int64_t)st.stx_mnt_id)
            return places->filesystems[i];
    struct mount mount;
    if (mountinfo_find(places->mountinfo, (int64_t)st.stx_mnt_id, &mount) < 0) {
        error_retry(e, ENOENT, "its mount is not in /proc/self/mountinfo");
        return NULL;
    }
    struct filesystem *f = xcalloc(1, sizeof *f);
    f->mount = mount;
    int state = places->kernel->state(places->kernel, fd, &f->state);
    filesystem_explain(places->kernel, &f->mount, state, &f->state,
                       places->kernel->read_tag(places->kernel, fd, &tag), &f->reason, &f->remedy);
    places->filesystems = xrealloc(places->filesystems, places->n_filesystems + 1, sizeof f);
    places->filesystems[places->n_filesystems++] = f;
    return f;
}

int place_open(struct places *places, const char *name, struct place *ret, struct error *e)
{
    struct place p = PLACE_INIT;
    p.path = name ? xasprintf("%s/%s", places->apps, name) : xstrdup(places->apps);
    p.fd = openat(places->apps_fd, name ?: ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = p.fd < 0 ? -errno : 0;
    if (r == -ENOENT)
        error_set(e, ERROR_NOT_FOUND, ENOENT, "there is no directory '%s'", p.path);
    else if (r < 0)
        error_os(e, -r, "cannot open directory '%s'", p.path);
    else if (!(p.filesystem = find_filesystem(places, p.fd, e)))
        r = error_prefix(e, "%s", p.path) ?: -EIO;
    if (r < 0) {
        place_clear(&p);
        return r;
    }
    *ret = p;
    return 0;
}

int place_open_any(struct places *places, const char *container, struct place *ret, bool *ret_gone,
                   struct error *e)
{
    _cleanup_free_ char *kept = NULL;
    *ret_gone = false;
    int r = place_open(places, container, ret, e);
    if (r != -ENOENT)
        return r;
    r = app_path_newest_kept(places->apps_fd, container, &kept, e);
    if (r >= 0 && kept)
        r = place_open(places, kept, ret, e);
    if (kept && r != -ENOENT)
        return r;
    *ret_gone = true;
    return place_open(places, NULL, ret, e);
}

void place_clear(struct place *place)
{
    close_fd(place->fd);
    free(place->path);
    *place = (struct place)PLACE_INIT;
}

int place_check_enforced(const struct place *place, struct error *e)
{
    const struct filesystem *f = place->filesystem;
    if (!f->reason)
        return 0;
    return error_set(e, ERROR_NOT_SUPPORTED, EOPNOTSUPP, "%s; %s", f->reason, f->remedy);
}
