/* Implements zone.h. */
#include "fetcher/zone.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/inapi/package.pb-c.h"
#include "lib/inapi/zone.pb-c.h"
#include "lib/package/id.h"
#include "lib/schema/object.h"
#include "lib/zone/file.h"

#define LIST_TIMEOUT (30 * USEC_PER_SEC) /* as the original agent */
#define LIST_MEMORY  ((size_t)64 << 20)

/* A zone as zone.json described it. An older one exists until its last user has released it. */
struct fetcher_zone {
    struct fetcher_zone *next;
    struct zone_client *client;
    struct zone_file file;
    unsigned users;
};

/* --- the client --- */

static void zone_free(struct fetcher_zone *z)
{
    zone_client_free(z->client);
    zone_file_done(&z->file);
    free(z);
}

/* Compares two zones. The host that answered last does not distinguish them. */
static bool is_same(const struct zone_file *a, const struct zone_file *b)
{
    bool same = streq(a->access_key, b->access_key) && a->n_hosts == b->n_hosts;
    for (size_t i = 0; same && i < a->n_hosts; i++)
        same = streq(a->hosts[i], b->hosts[i]);
    return same;
}

/* Frees the clients without users: all but the first, and also the first if 'all' is set. Only the loop may
 * call it, because a callback of a client may have released that client. */
static void sweep(struct fetcher *fetcher, bool all)
{
    for (struct fetcher_zone **at = &fetcher->zones; *at;) {
        struct fetcher_zone *z = *at;
        if (z->users > 0 || (z == fetcher->zones && !all)) {
            at = &z->next;
            continue;
        }
        *at = z->next;
        zone_free(z);
    }
}

static void on_sweep(void *userdata)
{
    struct fetcher *fetcher = userdata;
    sweep(fetcher, false);
}

int fetcher_zone_take(struct fetcher *fetcher, struct zone_client **ret, struct error *e)
{
    struct zone_file file = {0};
    int r = zone_file_read(fetcher->tree, &file, e);
    if (r < 0)
        return r;
    struct fetcher_zone *z = fetcher->zones;
    if (!z || !is_same(&z->file, &file)) {
        struct zone_client *client;
        const struct zone_client_options options = {.hosts = file.hosts,
                                                    .n_hosts = file.n_hosts,
                                                    .first = file.leader,
                                                    .port = fetcher->settings.zone_port,
                                                    .access_key = file.access_key,
                                                    .tls = fetcher->zone_tls};
        r = zone_client_new(fetcher->event, &options, &client, e);
        if (r < 0) {
            zone_file_done(&file);
            return r;
        }
        z = xcalloc(1, sizeof *z);
        *z = (struct fetcher_zone){.next = fetcher->zones, .client = client, .file = file};
        fetcher->zones = z;
    } else {
        zone_file_done(&file);
    }
    z->users++;
    *ret = z->client;
    return 0;
}

void fetcher_zone_give(struct fetcher *fetcher, struct zone_client *client)
{
    for (struct fetcher_zone *z = fetcher->zones; z; z = z->next)
        if (z->client == client && --z->users == 0 && z != fetcher->zones &&
            !timer_armed(&fetcher->zone_sweep))
            timer_arm(&fetcher->zone_sweep, fetcher->event, 0, on_sweep, fetcher);
}

void fetcher_zone_free(struct fetcher *fetcher)
{
    for (struct fetcher_zone *z = fetcher->zones; z; z = z->next)
        z->users = 0;
    timer_stop(&fetcher->zone_sweep);
    sweep(fetcher, true);
}

/* --- searches --- */

struct zone_search {
    struct fetcher *fetcher;
    struct zone_client *client; /* NULL: none is taken */
    struct zone_request *request;
    struct timer pause;
    struct retry retry;
    char *name, *version, *os, *arch;
    struct package_reference *exactly; /* or NULL */
    zone_found_fn on_found;
    void *userdata;
};

static void try_now(struct zone_search *s);

static void search_free(struct zone_search *s)
{
    zone_request_cancel(s->request);
    if (s->client)
        fetcher_zone_give(s->fetcher, s->client);
    timer_stop(&s->pause);
    free(s->name);
    free(s->version);
    free(s->os);
    free(s->arch);
    schema_free(&package_reference_schema, s->exactly);
    free(s);
}

void zone_search_cancel(struct zone_search *s)
{
    if (s)
        search_free(s);
}

static void finish(struct zone_search *s, const struct package_reference *package, const struct error *e)
{
    s->on_found(package, e, s->userdata);
    search_free(s);
}

static void on_pause_over(void *userdata)
{
    struct zone_search *s = userdata;
    try_now(s);
}

static void fail_or_retry(struct zone_search *s, struct error *e)
{
    /* "Not found" is the zone's reply for "no such package". */
    if (e->class == ERROR_NOT_FOUND && s->client) {
        finish(s, NULL, NULL);
        return;
    }
    uint64_t pause = e->class == ERROR_RETRY ? fetcher_next_pause(s->fetcher, &s->retry) : 0;
    if (pause > 0) {
        log_debug("zone: %s; trying again in %llu ms", e->message,
                  (unsigned long long)(pause / USEC_PER_MSEC));
        timer_arm(&s->pause, s->fetcher->event, pause, on_pause_over, s);
        return;
    }
    if (s->retry.failures > 1) {
        _cleanup_free_ char *text = xasprintf("%s; tried %u times", e->message, s->retry.failures);
        error_set(e, e->class, e->errnum, "%s", text);
    }
    if (e->class == ERROR_REFUSED || e->class == ERROR_NOT_FOUND)
        /* The class would describe the caller's request, which is not at fault. */
        e->class = ERROR_FAILED;
    finish(s, NULL, e);
}

/* Checks a package that the zone offers, because its members become file names. 'ret' borrows from 'p' except
 * for the id, which the caller frees. Returns 0 or a negative errno. */
static int check_offer(const struct zone_search *s, const Inapi__Package *p, char **ret_id,
                       struct package_reference *ret, struct error *e)
{
    const Inapi__PackageMetadata *m = p->metadata;
    const Inapi__PackageRelease *r = p->release;
    const Inapi__PackageFile *f = p->file;
    if (!m || !r || !f)
        return error_fail(e, EBADMSG, "the zone offers a package without metadata, release or file");
    if (!streq(m->name, s->name) || !streq(r->os, s->os) || !streq(r->arch, s->arch))
        return error_fail(e, EBADMSG, "the zone offers '%.100s' for %.16s/%.16s, which was not asked for",
                          m->name, r->os, r->arch);
    if (!streq(f->state, "complete"))
        return error_retry(e, EAGAIN, "package '%s' %.50s is not complete in the zone (%.20s)", m->name,
                           r->version, *f->state ? f->state : "not uploaded");
    if (f->size <= 0 || f->chunk_size <= 0)
        return error_fail(e, EBADMSG, "package '%s' has %lld bytes in chunks of %lld in the zone", m->name,
                          (long long)f->size, (long long)f->chunk_size);
    int x = package_id_make(m->name, r->version, r->os, r->arch, ret_id, e);
    if (x < 0)
        return x;
    *ret = (struct package_reference){.id = *ret_id,
                                      .name = m->name,
                                      .version = r->version,
                                      .os = r->os,
                                      .arch = r->arch,
                                      .checksum = *r->checksum ? r->checksum : NULL,
                                      .size = f->size,
                                      .repository = (char *)ZONE_NAME};
    return 0;
}

static void on_listed(const ProtobufCMessage *answer, const struct error *e, void *userdata)
{
    struct zone_search *s = userdata;
    const Inapi__PackageListResponse *list = (const Inapi__PackageListResponse *)answer;
    struct package_reference found;
    struct error own = ERROR_INIT;
    _cleanup_free_ char *id = NULL, *file = NULL;
    s->request = NULL;
    if (!answer) {
        own = *e;
        fail_or_retry(s, &own);
        return;
    }
    if (list->n_items == 0) {
        finish(s, NULL, NULL);
        return;
    }
    if (check_offer(s, list->items[0], &id, &found, &own) < 0) {
        fail_or_retry(s, &own);
        return;
    }
    found.file = file = xasprintf("%s.ipk", id);
    if (s->exactly && reference_same(s->exactly, &found, "in the zone", NULL) < 0)
        finish(s, NULL, NULL);
    else
        finish(s, &found, NULL);
}

static void try_now(struct zone_search *s)
{
    struct error e = ERROR_INIT;
    if (!s->client && fetcher_zone_take(s->fetcher, &s->client, &e) < 0) {
        error_prefix(&e, "the zone cannot be asked for package '%s'%s%s", s->name, *s->version ? " " : "",
                     s->version);
        fail_or_retry(s, &e);
        return;
    }
    Inapi__PackageListRequest request = INAPI__PACKAGE_LIST_REQUEST__INIT;
    request.name = s->name;
    request.version = s->version;
    request.os = s->os;
    request.arch = s->arch;
    request.latest_only = true;
    const struct zone_ask ask = {.path = "/inapi.ZoneService/PackageList",
                                 .message = &request.base,
                                 .answer = &inapi__package_list_response__descriptor,
                                 .memory_max = LIST_MEMORY,
                                 .timeout_usec = LIST_TIMEOUT,
                                 .on_answer = on_listed,
                                 .userdata = s};
    s->request = zone_call(s->client, &ask);
}

struct zone_search *zone_search_start(struct fetcher *fetcher, const struct lookup_for *what,
                                      zone_found_fn on_found, void *userdata)
{
    struct zone_search *s = xcalloc(1, sizeof *s);
    *s = (struct zone_search){.fetcher = fetcher,
                              .name = xstrdup(what->name),
                              .version = xstrdup(what->exactly ? what->exactly->version : what->version ?: ""),
                              .os = xstrdup(what->os),
                              .arch = xstrdup(what->arch),
                              .on_found = on_found,
                              .userdata = userdata};
    if (what->exactly) {
        s->exactly = xcalloc(1, sizeof *s->exactly);
        schema_copy(&package_reference_schema, what->exactly, s->exactly);
    }
    /* The search starts in the loop, so that 'on_found' is never called before the return. */
    timer_arm(&s->pause, fetcher->event, 0, on_pause_over, s);
    return s;
}
