/* Start, end and housekeeping of the process; see manager.h. */
#include "provisioner/manager.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/apps/apps.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/service/lock.h"
#include "provisioner/removal.h"

#define THREADS_MAX 4
/* At once: one that a disk holds up does not stop the others, and more would be in each other's way. */
#define DELETIONS_MAX 2

/* Housekeeping that no caller waits for: the log is told. */
struct chore {
    struct job job;
    char *apps, *name; /* of a hidden directory, or of a container whose kept data expired */
    int64_t before;    /* unix seconds; 0: the hidden directory is finished */
    unsigned deleted;
    int result;
    struct error e;
};

static void chore_work(struct job *job)
{
    struct chore *c = (struct chore *)job;
    c->result = c->before ? removal_expire(c->apps, c->name, c->before, &c->deleted, &c->e)
                          : removal_finish(c->apps, c->name, &c->e);
}

static void chore_done(struct job *job)
{
    struct chore *c = (struct chore *)job;
    if (c->result < 0)
        log_warning("%s; tried again at the next start", c->e.message);
    else if (c->before)
        log_info("%s: deleted what was kept of %u earlier removals", c->name, c->deleted);
    else
        log_info("finished the deletion of %s", c->name);
    free(c->apps);
    free(c->name);
    free(c);
}

static void add_chore(struct manager *m, const char *name, int64_t before)
{
    struct chore *c = xcalloc(1, sizeof *c);
    *c = (struct chore){.job = {.work = chore_work, .done = chore_done},
                        .apps = xstrdup(m->apps),
                        .name = xstrdup(name),
                        .before = before};
    c->job.key = c->name;
    jobs_add(m->jobs, &c->job);
}

/* One chore for each container with kept data that is older than 'before'. */
static void expire(struct manager *m, const struct apps_entry *entries, size_t n, int64_t before)
{
    const char *last = NULL;
    for (size_t i = 0; i < n; i++) {
        const struct apps_entry *entry = &entries[i];
        if (!entry->removed || entry->removed_at >= before || streq_null(last, entry->container))
            continue;
        last = entry->container;
        add_chore(m, entry->container, before);
    }
}

static int list_here(struct manager *m, struct apps_entry **ret, size_t *ret_n, struct error *e)
{
    _cleanup_close_ int apps = apps_open(m->apps, e);
    return apps < 0 ? apps : apps_list(apps, ret, ret_n, e);
}

static int64_t expiry(const struct manager *m)
{
    return (int64_t)((now_realtime_usec() - m->keep_removed_usec) / USEC_PER_SEC);
}

void manager_expire(struct manager *m)
{
    struct apps_entry *entries = NULL;
    struct error e = ERROR_INIT;
    size_t n = 0;
    if (m->keep_removed_usec == 0)
        return;
    if (list_here(m, &entries, &n, &e) < 0)
        log_warning("%s; kept data is looked at again after the next removal", e.message);
    expire(m, entries, n, expiry(m));
    apps_list_free(entries, n);
}

/* What a process that was killed left. Directories that never became complete are small, and a request for
 * them may come at once: they go before the socket is served. */
static int clean(struct manager *m, struct error *e)
{
    struct apps_entry *entries = NULL;
    size_t n = 0;
    int r = list_here(m, &entries, &n, e);
    for (size_t i = 0; i < n && r >= 0; i++) {
        if (after_prefix(entries[i].name, APPS_MAKING))
            r = removal_finish(m->apps, entries[i].name, e);
        else if (after_prefix(entries[i].name, APPS_DELETING))
            add_chore(m, entries[i].name, 0);
    }
    if (r >= 0 && m->keep_removed_usec > 0)
        expire(m, entries, n, expiry(m));
    apps_list_free(entries, n);
    return r;
}

/* One lock for each app path of the machine, whatever it is called in the trees that share it. Not in it, where administrators and
 * tools look, nor on it, which everybody may open and so lock. Without root there is no place but the tree's own. */
static int make_lock_path(struct manager *m, int apps, struct error *e)
{
    struct stat st;
    if (fstat(apps, &st) < 0)
        return error_os(e, errno, "cannot look at the app path '%s'", m->apps);
    m->lock_path = geteuid() == 0 ? xasprintf("/run/hostlet-apps-%u.%u-%" PRIu64 ".lock", major(st.st_dev),
                                              minor(st.st_dev), (uint64_t)st.st_ino)
                                  : xasprintf("%s/provisioner.lock", m->tree->run);
    return 0;
}

static int lock(struct manager *m, struct error *e)
{
    _cleanup_close_ int apps = apps_open(m->apps, e); /* makes it, and refuses one that others can write in */
    if (apps < 0)
        return apps;
    int r = make_lock_path(m, apps, e);
    if (r < 0)
        return r;
    m->lock_fd = service_lock(m->lock_path, e);
    if (m->lock_fd == -EAGAIN)
        return error_prefix(e, "another provisioner works in the app path '%s'", m->apps);
    return m->lock_fd < 0 ? m->lock_fd : 0;
}

int manager_start(struct service_context *context, struct error *e)
{
    struct manager *m = xcalloc(1, sizeof *m);
    *m = (struct manager){
        .tree = &context->tree,
        .apps = xstrdup(context->tree.apps),
        .keep_removed_usec = config_duration(context->config, "provisioner", "keep_removed"),
        .lock_fd = -1,
    };
    context->userdata = m;
    int r = jobs_new(context->event, THREADS_MAX, &m->jobs, e);
    if (r >= 0)
        r = jobs_new_background(context->event, DELETIONS_MAX, &m->deletions, e);
    if (r >= 0)
        r = lock(m, e);
    return r >= 0 ? clean(m, e) : r;
}

bool manager_busy(void *userdata)
{
    struct manager *m = userdata;
    return jobs_busy(m->jobs) || jobs_busy(m->deletions);
}

void manager_stop(void *userdata)
{
    struct manager *m = userdata;
    jobs_free(m->jobs);
    jobs_free(m->deletions);
    if (m->lock_fd >= 0)
        unlink(m->lock_path); /* who waits for it notices that it has no name any more */
    close_fd(m->lock_fd);
    free(m->lock_path);
    free(m->apps); /* jobs have copies */
    free(m);
}
