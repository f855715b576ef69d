/* Implements reload.h. */
#include "hostletd/reload.h"

#include <inttypes.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "hostletd/methods.h"
#include "hostletd/service.h"
#include "hostletd/setup.h"
#include "hostletd/users.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

struct change {
    enum reload_verdict verdict;
    struct service *service;
    struct service_conf *conf; /* to be passed to service_adopt() */
    char *fingerprint;
};

/* The new configuration, which is read and checked completely before the old one is changed. */
struct fresh {
    struct tree tree;
    struct config *config;
    struct topology topology;
};

static void fresh_done(struct fresh *f)
{
    tree_done(&f->tree);
    config_free(f->config);
    topology_done(&f->topology);
}

static int read_fresh(const struct manager *m, struct fresh *f, struct error *e)
{
    const struct tree *t = &m->tree;
    int r = tree_init(&f->tree, t->prefix, t->services, t->libexec, e);
    if (r >= 0)
        r = config_load(&f->tree, &f->config, e);
    if (r >= 0)
        r = topology_load(&f->tree, &f->topology, e);
    if (r >= 0)
        r = methods_check(&f->topology, e);
    if (r >= 0)
        r = setup_directories(&f->tree, &f->topology, m->group, e);
    if (r >= 0)
        r = setup_check_users(&f->tree, &f->topology, e);
    return r;
}

/* Determines what a reload does with the service of 'conf'. Takes ownership of 'conf', also on failure. */
static int plan_change(struct manager *m, struct service_conf *conf, struct change *c, struct error *e)
{
    struct service *s = manager_find(m, conf->name);
    const char *old = !s || s->removed ? NULL : s->next_fingerprint ? s->next_fingerprint : s->fingerprint;
    _cleanup_free_ char *fingerprint = service_make_fingerprint(conf, m->config);
    c->service = s;
    c->verdict = reload_compare(old, fingerprint);
    if (c->verdict == RELOAD_KEEP) {
        service_conf_free(conf);
        return 0;
    }
    if (!s)
        return service_new(m, conf, TAKE_PTR(fingerprint), &c->service, e);
    s->wanted |= s->removed;
    s->removed = false;
    c->verdict = RELOAD_CHANGE;
    c->conf = conf;
    c->fingerprint = TAKE_PTR(fingerprint);
    return 0;
}

static void carry_out(const struct change *c)
{
    struct service *s = c->service;
    if (c->verdict == RELOAD_CHANGE)
        service_adopt(s, c->conf, c->fingerprint);
    else if (c->verdict == RELOAD_ADD || s->state == SERVICE_FAILED)
        service_event(s, EVENT_UP);
}

/* Puts the services into the new order. Services that a reload removed come last, until they are down. */
static void reorder(struct manager *m, const struct change *changes, size_t n)
{
    struct service **order = xcalloc(n + m->n_services, sizeof *order);
    size_t placed = 0;
    for (size_t i = 0; i < n; i++)
        order[placed++] = changes[i].service;
    for (size_t i = 0; i < m->n_services; i++) {
        struct service *s = m->services[i];
        size_t k = 0;
        while (k < n && changes[k].service != s)
            k++;
        if (k < n)
            continue;
        s->removed = true;
        s->wanted = false;
        order[placed++] = s;
    }
    free(m->services);
    m->services = order;
    m->n_services = placed;
}

static void apply(struct manager *m, struct fresh *f)
{
    struct config *config = m->config;
    struct tree tree = m->tree;
    struct error e = ERROR_INIT;
    size_t n = 0, seen[4] = {0};
    _cleanup_free_ struct change *changes = xcalloc(f->topology.n_services, sizeof *changes);
    m->config = f->config;
    m->tree = f->tree;
    f->config = config;
    f->tree = tree;
    for (size_t i = 0; i < f->topology.n_services; i++) {
        if (plan_change(m, TAKE_PTR(f->topology.services[i]), &changes[n], &e) < 0)
            log_error("a new service is left out: %s", e.message);
        else
            seen[changes[n++].verdict]++;
    }
    size_t before = m->n_services;
    reorder(m, changes, n);
    for (size_t i = 0; i < n; i++)
        carry_out(&changes[i]);
    methods_admit(m);
    manager_settle_later(m);
    log_info("configuration read anew: %zu services changed, %zu new, %zu removed, %zu unchanged",
             seen[RELOAD_CHANGE], seen[RELOAD_ADD], before - seen[RELOAD_CHANGE] - seen[RELOAD_KEEP],
             seen[RELOAD_KEEP]);
}

int manager_reload(struct manager *m, struct error *e)
{
    struct fresh fresh = {.config = NULL};
    /* systemd compares this time with the time of its own request: a notification about an earlier reload
     * does not count. */
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_monotonic_usec());
    int r = read_fresh(m, &fresh, e);
    if (r < 0) {
        error_prefix(e, "the configuration is not accepted, and nothing changes");
        log_error("%s", e->message);
    } else {
        enum log_level level = LOG_LEVEL_INFO;
        apply(m, &fresh);
        log_level_from_string(config_string(m->config, "hostlet", "log_level"), &level);
        log_set_max_level(level);
    }
    fresh_done(&fresh);
    sd_notify(0, "READY=1");
    return r;
}
