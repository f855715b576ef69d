/* Implements jail.h. The order of the calls matters: each needs rights that a later one drops. */
#include "lib/service/jail.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "lib/basic/cleanup.h"

static int leave_network(int netns, struct error *e)
{
    if (netns >= 0 ? setns(netns, CLONE_NEWNET) : unshare(CLONE_NEWNET))
        return error_os(e, errno, "cannot enter an empty network namespace");
    return 0;
}

/* Drops all capabilities but 'kept' from the bounding set, so that an exec cannot regain them. */
static int bound_capabilities(const cap_value_t *kept, size_t n, struct error *e)
{
    for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++) {
        bool keep = false;
        for (size_t i = 0; i < n; i++)
            keep |= kept[i] == cap;
        if (!keep && cap_drop_bound(cap) < 0)
            return error_os(e, errno, "cannot drop capability %d", cap);
    }
    return 0;
}

static int set_capabilities(const cap_value_t *kept, size_t n, struct error *e)
{
    cap_t caps = cap_init();
    if (!caps)
        abort();
    int r = 0;
    if (n > 0 && (cap_set_flag(caps, CAP_PERMITTED, (int)n, kept, CAP_SET) < 0 ||
                  cap_set_flag(caps, CAP_EFFECTIVE, (int)n, kept, CAP_SET) < 0))
        r = -errno;
    if (r == 0 && cap_set_proc(caps) < 0)
        r = -errno;
    cap_free(caps);
    return r < 0 ? error_os(e, -r, "cannot set capabilities") : 0;
}

static int set_user(const struct service_conf *conf, const gid_t *extra, size_t n_extra, struct error *e)
{
    size_t n = 0;
    _cleanup_free_ gid_t *groups = xcalloc(conf->n_groups + n_extra, sizeof *groups);
    for (size_t i = 0; i < conf->n_groups; i++)
        groups[n++] = conf->group_ids[i];
    for (size_t i = 0; i < n_extra; i++)
        groups[n++] = extra[i];
    if (setgroups(n, groups) < 0)
        return error_os(e, errno, "cannot set the supplementary groups");
    if (setresgid(conf->gid, conf->gid, conf->gid) < 0)
        return error_os(e, errno, "cannot become group %u", conf->gid);
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresuid(conf->uid, conf->uid, conf->uid) < 0)
        return error_os(e, errno, "cannot become user '%s'", conf->user ?: "root");
    return 0;
}

int jail_enter(const struct service_conf *conf, const gid_t *extra_groups, size_t n_extra_groups, int netns,
               bool die_with_parent, struct error *e)
{
    cap_value_t kept[64];
    if (conf->n_capabilities > ARRAY_SIZE(kept))
        return error_refuse(e, EINVAL, "service '%s' names too many capabilities", conf->name);
    for (size_t i = 0; i < conf->n_capabilities; i++)
        if (cap_from_name(conf->capabilities[i], &kept[i]) < 0)
            return error_refuse(e, EINVAL, "service '%s': unknown capability '%s'", conf->name,
                                conf->capabilities[i]);

    int r = 0;
    umask(0022);
    if (!conf->network)
        r = leave_network(netns, e);
    if (r >= 0)
        r = bound_capabilities(kept, conf->n_capabilities, e);
    if (r >= 0)
        r = set_user(conf, extra_groups, n_extra_groups, e);
    if (r >= 0)
        r = set_capabilities(kept, conf->n_capabilities, e);
    if (r < 0)
        return r;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_os(e, errno, "cannot set no_new_privs");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_os(e, errno, "cannot become undumpable");
    /* The setting comes last, because the kernel clears it when credentials change. Until here the lifeline
     * replaces it. */
    if (die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return error_os(e, errno, "cannot ask for the parent's death signal");
    return 0;
}
