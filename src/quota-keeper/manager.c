/* Implements manager.h: start and end of the process. */
#include "quota-keeper/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "quota-keeper/questions.h"
#include "quota-keeper/recovery.h"
#include "quota-keeper/requests.h"
#include "quota-keeper/sweep.h"
#include "quota-keeper/watch.h"

#define THREADS_MAX 4
#define WALKS_MAX   2

struct recovery_job {
    struct work work;
    struct manager *manager;
    struct notes notes;
};

void manager_tell(struct notes *notes)
{
    for (size_t i = 0; i < notes->n; i++)
        log_notice("%s", notes->items[i]);
    notes_clear(notes);
}

static void recovery_work(struct work *work)
{
    struct recovery_job *j = (struct recovery_job *)work;
    recovery_run(&j->manager->registry, &j->notes);
}

static void recovery_done(struct work *work)
{
    struct recovery_job *j = (struct recovery_job *)work;
    struct manager *m = j->manager;
    manager_tell(&j->notes);
    free(j);
    m->recovered = true;
    requests_run(m);
    questions_run(m);
    watch_arm(m);
}

/* Returns the ledger's path. With a prefix, the contract defines it; without one it is in the process's
 * state directory, because /etc is no place for data that a process changes. */
static char *ledger_path(const struct tree *tree)
{
    _cleanup_free_ char *state = tree_state(tree, "quota-keeper");
    return xasprintf("%s/hostlet_vol_quota.json", tree->prefix ? tree->etc : state);
}

/* Returns the path of the lock on project ids. Without root the machine's lock is out of reach, and no
 * project can be set either; then a lock in this tree is enough. */
static char *lock_path(const struct tree *tree)
{
    return geteuid() == 0 ? xstrdup(REGISTRY_LOCK) : xasprintf("%s/quota.lock", tree->run);
}

int manager_start(struct service_context *context, struct error *e)
{
    struct manager *m = xcalloc(1, sizeof *m);
    struct notes notes = {.n = 0};
    int64_t id_min, id_max;
    config_range(context->config, "quota-keeper", "ids", &id_min, &id_max);
    context->userdata = m;
    m->event = context->event;
    m->apps = xstrdup(context->tree.apps);
    m->ledger_path = ledger_path(&context->tree);
    m->lock_path = lock_path(&context->tree);
    m->check_usec = config_duration(context->config, "quota-keeper", "check_interval");
    registry_init(&m->registry, &kernel_linux, id_min, id_max);
    m->registry.apps = m->apps;
    m->registry.ledger_path = m->ledger_path;
    m->registry.lock_path = m->lock_path;
    m->registry.threshold = config_number(context->config, "quota-keeper", "threshold");
    m->registry.bytes_per_inode = config_number(context->config, "quota-keeper", "bytes_per_inode");
    m->registry.inodes_min = config_number(context->config, "quota-keeper", "inodes_min");
    int r = workers_new(context->event, THREADS_MAX, WORKERS_PROMPT, &m->jobs, e);
    if (r >= 0)
        r = workers_new(context->event, WALKS_MAX, WORKERS_PROMPT, &m->walks, e);
    if (r >= 0)
        r = workers_new(context->event, 1, WORKERS_BACKGROUND, &m->background, e);
    if (r >= 0)
        r = registry_load(&m->registry, &notes, e);
    manager_tell(&notes);
    if (r < 0)
        return r;
    struct recovery_job *j = xcalloc(1, sizeof *j);
    *j = (struct recovery_job){.work = {.run = recovery_work, .done = recovery_done}, .manager = m};
    workers_add(m->jobs, &j->work);
    return 0;
}

bool manager_busy(void *userdata)
{
    struct manager *m = userdata;
    return workers_busy(m->jobs) || workers_busy(m->walks) || workers_busy(m->background);
}

/* Threads that still run end with the process; a kill at any time does no harm. The memory that they use
 * is not freed. */
void manager_stop(void *userdata)
{
    struct manager *m = userdata;
    bool busy = m->background && manager_busy(m);
    watch_free(m);
    requests_free(m);
    workers_free(m->jobs);
    workers_free(m->walks);
    workers_free(m->background);
    if (busy)
        return;
    sweeps_free(m);
    registry_done(&m->registry);
    free(m->apps);
    free(m->ledger_path);
    free(m->lock_path);
    free(m);
}
