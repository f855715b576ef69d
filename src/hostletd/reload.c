/* Implements reload.h. */
#include "hostletd/reload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "hostletd/checks.h"
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

struct caller {
    struct caller *next;
    struct varlink_call *call;
};

/* A reload, from the request until its end. */
struct reload {
    struct manager *manager;
    struct fresh fresh;
    struct checks *checks; /* NULL: none are in progress */
    struct caller *callers;
};

static void fresh_done(struct fresh *f)
{
    tree_done(&f->tree);
    config_free(f->config);
    topology_done(&f->topology);
    *f = (struct fresh){.config = NULL};
}

static int read_fresh(const struct manager *m, struct fresh *f, struct error *e)
{
    const struct tree *t = &m->tree;
    int r = tree_init(&f->tree, t->prefix, t->services, t->libexec, e);
    if (r >= 0)
        r = config_load(&f->tree, &f->config, e);
    if (r >= 0)
        r = topology_load(&f->tree, &f->topology, e);
    return r < 0 ? r : checks_rights(&f->topology, e);
}

static int prepare_fresh(const struct manager *m, struct fresh *f, struct error *e)
{
    int r = setup_directories(&f->tree, &f->topology, m->group, e);
    return r < 0 ? r : setup_check_users(&f->tree, &f->topology, e);
}

char *reload_fingerprint(const struct service_conf *conf, const struct config *config)
{
    char *text = xstrdup(conf->text);
    for (size_t i = 0; i < conf->n_config_sections; i++) {
        _cleanup_free_ char *before = text, *section = config_section_text(config, conf->config_sections[i]);
        text = xasprintf("%s%s", before, section);
    }
    return text;
}

/* Determines what a reload does with the service of 'conf'. Takes ownership of 'conf', also on failure. */
static int plan_change(struct manager *m, struct service_conf *conf, struct change *c, struct error *e)
{
    struct service *s = manager_find(m, conf->name);
    const char *old = !s || s->removed ? NULL : s->next_fingerprint ? s->next_fingerprint : s->fingerprint;
    _cleanup_free_ char *fingerprint = reload_fingerprint(conf, m->config);
    c->service = s;
    c->verdict = reload_compare(old, fingerprint);
    if (c->verdict == RELOAD_KEEP) {
        service_conf_free(conf);
        return 0;
    }
    if (!s)
        return service_new(m, conf, TAKE_PTR(fingerprint), &c->service, e);
    s->stopped &= !s->removed;
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
    else if (s->state == SERVICE_FAILED)
        service_event(s, EVENT_UP);
    else
        service_reload(s);
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
    manager_derive(m);
    for (size_t i = 0; i < n; i++)
        carry_out(&changes[i]);
    manager_start_wanted(m);
    methods_admit(m);
    manager_check_run(m);
    manager_settle_later(m);
    log_info("configuration read anew: %zu services changed, %zu new, %zu removed, %zu unchanged",
             seen[RELOAD_CHANGE], seen[RELOAD_ADD], before - seen[RELOAD_CHANGE] - seen[RELOAD_KEEP],
             seen[RELOAD_KEEP]);
}

static void caller_gone(struct varlink_call *call, void *userdata)
{
    struct reload *r = userdata;
    for (struct caller **c = &r->callers; *c; c = &(*c)->next)
        if ((*c)->call == call) {
            struct caller *gone = *c;
            *c = gone->next;
            free(gone);
            return;
        }
}

static void add_caller(struct reload *r, struct varlink_call *call)
{
    struct caller *c = xcalloc(1, sizeof *c);
    *c = (struct caller){.next = r->callers, .call = call};
    r->callers = c;
    varlink_call_on_gone(call, caller_gone, r);
}

/* Replies to all callers and frees the reload; 'e' is the error that it ended with, or NULL. */
static void end(struct reload *r, const struct error *e)
{
    r->manager->reload = NULL;
    checks_free(r->checks);
    while (r->callers) {
        struct caller *c = r->callers;
        r->callers = c->next;
        varlink_call_on_gone(c->call, NULL, NULL);
        if (e)
            varlink_error(c->call, e);
        else
            varlink_reply(c->call, NULL);
        free(c);
    }
    fresh_done(&r->fresh);
    free(r);
}

static void on_checked(const struct error *refusal, void *userdata)
{
    struct reload *r = userdata;
    struct manager *m = r->manager;
    struct error e = refusal ? *refusal : (struct error)ERROR_INIT;
    if (refusal || prepare_fresh(m, &r->fresh, &e) < 0) {
        error_prefix(&e, "the configuration is not accepted, and nothing changes");
        log_error("%s", e.message);
    } else {
        enum log_level level = LOG_LEVEL_INFO;
        apply(m, &r->fresh);
        log_level_from_string(config_string(m->config, "hostlet", "log_level"), &level);
        log_set_max_level(level);
    }
    sd_notify(0, "READY=1");
    end(r, e.errnum ? &e : NULL);
}

void manager_reload(struct manager *m, struct varlink_call *call)
{
    struct error e = ERROR_INIT;
    if (!m->reload) {
        m->reload = xcalloc(1, sizeof *m->reload);
        m->reload->manager = m;
    }
    struct reload *r = m->reload;
    if (call)
        add_caller(r, call);
    checks_free(r->checks);
    r->checks = NULL;
    fresh_done(&r->fresh);
    /* systemd compares this time with the time of its own request: a notification about an earlier reload
     * does not count. */
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_monotonic_usec());
    int x = read_fresh(m, &r->fresh, &e);
    if (x >= 0)
        x = checks_start(m->event, m->spawner, &r->fresh.topology, r->fresh.config, on_checked, r, &r->checks,
                         &e);
    if (x < 0)
        on_checked(&e, r);
}

void reload_process_ended(struct manager *m, const siginfo_t *info)
{
    if (m->reload)
        checks_process_ended(m->reload->checks, info);
}

void reload_cancel(struct manager *m)
{
    struct error e = ERROR_INIT;
    error_retry(&e, ESHUTDOWN, "the tree is stopping");
    if (m->reload)
        end(m->reload, &e);
}
