/* Implements manager.h. */
#include "fetcher/manager.h"

#include <errno.h>
#include <strings.h>

#include "fetcher/download_report.h"
#include "fetcher/index_cache.h"
#include "fetcher/zone.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/http/place.h"
#include "lib/package/id.h"
#include "lib/package/version.h"
#include "lib/zone/tls.h"

#include "config.h"

#define LOADS_MAX 16 /* indexes that are read and parsed at the same time */

/* The platforms that run on this machine, the most specific first. A zone matches both parts exactly, so
 * packages for "all" need a request of their own. */
static const struct platform {
    const char *os, *arch;
} platforms[] = {{"linux", HOSTLET_ARCH}, {"linux", "src"}, {"all", HOSTLET_ARCH}, {"all", "src"}};

/* A waiting call of Resolve. */
struct resolve {
    struct manager *manager;
    struct resolve *next;
    struct varlink_call *call;
    struct lookup *lookup;
    char *name, *version; /* NULL if the call names its platform */
    size_t platform;      /* the platform that is searched */
    struct error first;   /* why no package exists for the first platform */
};

static void resolve_end(struct resolve *v)
{
    for (struct resolve **at = &v->manager->resolves; *at; at = &(*at)->next)
        if (*at == v) {
            *at = v->next;
            break;
        }
    lookup_cancel(v->lookup);
    free(v->name);
    free(v->version);
    free(v);
}

static void on_resolve_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    resolve_end(userdata);
}

static void on_resolved(const struct package_reference *package, const struct error *e, void *userdata)
{
    struct resolve *v = userdata;
    const struct fetcher_resolve_out out = {.package = (struct package_reference *)package};
    v->lookup = NULL;
    if (!package && e->class == ERROR_NOT_FOUND && v->name) {
        if (v->platform == 0)
            v->first = *e;
        if (++v->platform < ARRAY_SIZE(platforms)) {
            const struct platform *p = &platforms[v->platform];
            const struct lookup_for what = {
                .name = v->name, .version = v->version, .os = p->os, .arch = p->arch};
            v->lookup = lookup_start(v->manager->repositories, &what, on_resolved, v);
            return;
        }
        e = &v->first;
    }
    if (package)
        varlink_reply(v->call, &out);
    else
        varlink_error(v->call, e);
    resolve_end(v);
}

int manager_has_repositories(const struct manager *m, const char *package, struct error *e)
{
    return m->repositories
               ? 0
               : error_set(e, ERROR_NOT_FOUND, ENOENT,
                           "package '%s': no repositories are configured ([fetcher] repositories)", package);
}

int manager_resolve(struct manager *m, struct varlink_call *call, const struct fetcher_resolve_in *in,
                    struct error *e)
{
    const struct lookup_for what = {.name = in->name,
                                    .version = in->version ?: "",
                                    .os = in->os ?: platforms[0].os,
                                    .arch = in->arch ?: platforms[0].arch};
    int r = package_name_check(what.name, e);
    if (r >= 0)
        r = version_rule_check(what.version, e);
    if (r >= 0)
        r = package_platform_check("os", what.os, e);
    if (r >= 0)
        r = package_platform_check("arch", what.arch, e);
    if (r >= 0)
        r = manager_has_repositories(m, what.name, e);
    if (r < 0)
        return r;
    struct resolve *v = xcalloc(1, sizeof *v);
    *v = (struct resolve){.manager = m, .next = m->resolves, .call = call};
    if (!in->os && !in->arch) {
        v->name = xstrdup(what.name);
        v->version = xstrdup(what.version);
    }
    m->resolves = v;
    varlink_call_on_gone(call, on_resolve_gone, v);
    v->lookup = lookup_start(m->repositories, &what, on_resolved, v);
    return 0;
}

static struct download *find_download(struct manager *m, const char *id)
{
    for (struct download *d = m->downloads; d; d = d->next)
        if (streq(d->package->id, id) && d->state != DOWNLOAD_OVER)
            return d;
    return NULL;
}

int manager_fetch(struct manager *m, struct varlink_call *call, const struct package_reference *package,
                  struct error *e)
{
    int r = reference_check(package, e);
    if (r < 0)
        return r;
    struct download *d = find_download(m, package->id);
    if (d) {
        r = reference_same(package, d->package, "that is being fetched", e);
        if (r >= 0)
            download_add_call(d, call);
        return r;
    }
    struct download **end = &m->downloads;
    while (*end)
        end = &(*end)->next;
    *end = d = download_new(m, package);
    download_add_call(d, call);
    download_begin(d);
    manager_reschedule(m);
    return 0;
}

int manager_remove(struct manager *m, const char *name, const char *id, struct error *e)
{
    int r = package_name_check(name, e);
    if (r >= 0)
        r = package_id_check(name, id, e);
    if (r < 0)
        return r;
    if (find_download(m, id))
        return error_retry(e, EBUSY, "package '%s' is being fetched: not removed", id);
    return store_remove(&m->fetcher.store, name, id, e);
}

bool manager_busy(const struct manager *m)
{
    return m->downloads || m->resolves;
}

static bool has_slot(const struct download *d)
{
    return d->state == DOWNLOAD_TRANSFERRING || d->state == DOWNLOAD_FINISHING ||
           d->state == DOWNLOAD_STOPPING;
}

static int on_schedule(sd_event_source *source, void *userdata)
{
    (void)source;
    struct manager *m = userdata;
    unsigned running = 0;
    for (struct download **at = &m->downloads; *at;) {
        struct download *d = *at;
        if (d->state == DOWNLOAD_OVER) {
            *at = d->next;
            download_free(d);
            continue;
        }
        running += has_slot(d);
        at = &d->next;
    }
    for (struct download *d = m->downloads; d; d = d->next) {
        if (d->state != DOWNLOAD_QUEUED)
            continue;
        if (running < m->fetcher.settings.parallel) {
            running++;
            download_transfer(d);
        } else if (!*d->message) {
            download_say(d, "waiting for other transfers");
        }
    }
    return 0;
}

void manager_reschedule(struct manager *m)
{
    sd_event_source_set_enabled(m->schedule, SD_EVENT_ONESHOT);
}

/* Logs a warning for each repository on another machine to which user and password are sent unencrypted: the
 * administrator may not have noticed it. */
static void warn_of_plain_passwords(const struct manager *m)
{
    const char *user, *password;
    for (const struct repository *r = m->repositories; r; r = r->next)
        if (r->kind == REPOSITORY_HTTP && strncasecmp(r->url, "http:", 5) == 0 && http_url_is_far(r->url) &&
            (!streq(r->url, r->name) || credentials_find(m->fetcher.credentials, r->url, &user, &password)))
            log_warning("repository %s: user and password are sent unencrypted: use https", r->name);
}

/* Parses the repositories; the zone is one if the machine serves it. */
static int read_repositories(struct fetcher *fetcher, const struct config *config, struct repository **ret,
                             struct error *e)
{
    return repositories_parse(fetcher, config_string(config, "fetcher", "repositories"),
                              config_bool(config, "zone", "enable"), ret, e);
}

static int read_zone_tls(const struct config *config, struct grpc_tls_settings **ret, struct error *e)
{
    return config_bool(config, "zone", "enable") ? zone_tls_load(config, false, ret, e) : 0;
}

int manager_check(const struct config *config, struct error *e)
{
    const char *ca_file = config_string(config, "fetcher", "ca_file");
    struct repository *repositories = NULL;
    struct grpc_tls_settings *zone = NULL, *https = NULL;
    int r = read_repositories(NULL, config, &repositories, e);
    if (r >= 0)
        r = read_zone_tls(config, &zone, e);
    /* libcurl reads this file for each request, and would fail each. */
    if (r >= 0 && *ca_file && grpc_tls_settings_new(false, NULL, NULL, ca_file, &https, e) < 0)
        r = error_prefix(e, "[fetcher] ca_file");
    repositories_free(repositories);
    grpc_tls_settings_free(zone);
    grpc_tls_settings_free(https);
    return r;
}

int manager_new(sd_event *event, const struct tree *tree, const struct config *config,
                struct wall_guard *wall, struct credentials **credentials, struct manager **ret,
                struct error *e)
{
    struct manager *m = xcalloc(1, sizeof *m);
    m->fetcher.event = sd_event_ref(event);
    m->fetcher.tree = tree;
    m->fetcher.store = (struct store)STORE_INIT;
    m->fetcher.credentials = TAKE_PTR(*credentials);
    settings_load(&m->fetcher.settings, config);
    int r = read_repositories(&m->fetcher, config, &m->repositories, e);
    if (r >= 0)
        r = read_zone_tls(config, &m->fetcher.zone_tls, e);
    if (r >= 0)
        r = workers_new(event, LOADS_MAX, WORKERS_PATIENT, &m->fetcher.workers, e);
    if (r >= 0)
        r = store_open(&m->fetcher.store, tree, e);
    if (r >= 0) {
        store_expire(&m->fetcher.store, wall);
        index_cache_clean(m->fetcher.store.state_fd, m->repositories);
        r = sd_event_add_defer(event, &m->schedule, on_schedule, m);
        if (r < 0)
            error_os(e, -r, "cannot make the event loop");
    }
    if (r >= 0)
        r = sd_event_source_set_enabled(m->schedule, SD_EVENT_OFF);
    if (r < 0) {
        manager_free(m);
        return r;
    }
    warn_of_plain_passwords(m);
    *ret = m;
    return 0;
}

void manager_free(struct manager *m)
{
    if (!m)
        return;
    while (m->resolves) {
        varlink_call_on_gone(m->resolves->call, NULL, NULL);
        resolve_end(m->resolves);
    }
    while (m->downloads) {
        struct download *d = m->downloads;
        m->downloads = d->next;
        download_free(d);
    }
    repositories_free(m->repositories);
    workers_free(m->fetcher.workers);
    fetcher_zone_free(&m->fetcher);
    grpc_tls_settings_free(m->fetcher.zone_tls);
    http_client_free(m->fetcher.http);
    store_close(&m->fetcher.store);
    credentials_free(m->fetcher.credentials);
    sd_event_source_disable_unref(m->schedule);
    sd_event_unref(m->fetcher.event);
    free(m);
}
