/* Implements check_ports.h.
 *
 * A binding wants a port of this machine, or one of a range. All bindings that want a port between two
 * numbers, on the same address or on all, exclude each other there: if they are more than the numbers, not
 * all can get one. If this is so nowhere on an address, all can. */
#include "lib/app/check_ports.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/app/check_deploy.h"
#include "lib/app/host_port.h"
#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

#define NO_ENTRY SIZE_MAX

struct want {
    size_t manifest, replica; /* indexes */
    size_t entry; /* of the replica's service_ports; NO_ENTRY: a single replica's port by its number */
    size_t port;  /* of the spec's service_ports */
    struct host_port first;
    int64_t last;
};

struct wants {
    struct want *items;
    size_t n, room;
};

static void add(struct wants *wants, const struct want *want)
{
    if (wants->n == wants->room) {
        wants->room = wants->room * 2 ?: 16;
        wants->items = xrealloc(wants->items, wants->room, sizeof *wants->items);
    }
    wants->items[wants->n++] = *want;
}

/* Finds the port of the spec that a replica's entry names by name, by number, or by both. Returns its index,
 * or −ENOENT. */
static ssize_t find_port(const struct app_spec *spec, const struct app_service_port *p)
{
    bool named = p->name && *p->name;
    for (size_t i = 0; i < spec->n_service_ports; i++) {
        const struct app_spec_port *known = spec->service_ports[i];
        if ((!named || streq_null(known->name, p->name)) && (p->port == 0 || p->port == known->port) &&
            (named || p->port != 0))
            return (ssize_t)i;
    }
    return -ENOENT;
}

/* Reports whether the replica states how a port of the spec is published. */
static bool is_stated(const struct app_spec *spec, const struct app_replica *replica, size_t port)
{
    for (size_t i = 0; i < replica->n_service_ports; i++)
        if (replica->service_ports[i]->host_port != 0 &&
            find_port(spec, replica->service_ports[i]) == (ssize_t)port)
            return true;
    return false;
}

/* Adds the ports that a replica wants; 'replica' NULL: the only one, of which the manifest states nothing. */
static void add_replica(struct wants *wants, const struct app_spec *spec, const struct app_replica *replica,
                        bool single, struct want want)
{
    _cleanup_free_ size_t *entries = xcalloc(spec->n_service_ports + 1, sizeof *entries); /* by port */
    for (size_t i = 0; i < spec->n_service_ports; i++)
        entries[i] = NO_ENTRY;
    for (size_t i = 0; replica && i < replica->n_service_ports; i++) {
        ssize_t port = find_port(spec, replica->service_ports[i]);
        if (port >= 0 && replica->service_ports[i]->host_port != 0)
            entries[port] = i;
    }
    for (want.port = 0; want.port < spec->n_service_ports; want.port++) {
        want.entry = entries[want.port];
        if (want.entry != NO_ENTRY) {
            const struct app_service_port *p = replica->service_ports[want.entry];
            want.first = host_port_of(p);
            want.last = p->host_port_last ?: p->host_port;
            add(wants, &want);
        } else if (single) {
            want.last = spec->service_ports[want.port]->port;
            want.first = host_port_at(APP_PROTOCOL_TCP, NULL, want.last);
            add(wants, &want);
        }
    }
}

static void add_all(struct wants *wants, size_t manifest, const struct app_spec *spec,
                    const struct app_deploy *deploy)
{
    size_t n = deploy ? deploy->n_replicas : 0;
    for (size_t i = 0; i < (n ?: 1); i++)
        add_replica(wants, spec, n ? deploy->replicas[i] : NULL, n <= 1,
                    (struct want){.manifest = manifest, .replica = i});
}

/* Reports whether 'b' wants a port from that of 'a' to 'last', where it excludes whatever else is there. */
static bool is_within(const struct want *a, int64_t last, const struct want *b)
{
    return b->first.port >= a->first.port && b->last <= last && a->first.udp == b->first.udp &&
           a->first.v6 == b->first.v6 &&
           (host_port_is_wide(&b->first) || IN6_ARE_ADDR_EQUAL(&a->first.address, &b->first.address));
}

/* What several bindings want and not all can get. */
struct shortage {
    struct want of;                  /* the range */
    const struct want *first, *last; /* the first and the last that want a port of it */
    size_t n;
};

static int compare_last(const void *a, const void *b)
{
    int64_t x = (*(const struct want *const *)a)->last, y = (*(const struct want *const *)b)->last;
    return (x > y) - (x < y);
}

static void describe_shortage(const struct wants *wants, const struct want *from, int64_t last,
                              struct shortage *ret)
{
    *ret = (struct shortage){.of = *from};
    ret->of.last = last;
    for (size_t i = 0; i < wants->n; i++)
        if (is_within(from, last, &wants->items[i])) {
            ret->first = ret->first ?: &wants->items[i];
            ret->last = &wants->items[i];
            ret->n++;
        }
}

/* Finds the shortest range with a shortage. */
static bool find_shortage(const struct wants *wants, struct shortage *ret)
{
    const struct want *best = NULL;
    int64_t best_last = 0;
    _cleanup_free_ const struct want **by_last = xcalloc(wants->n + 1, sizeof(struct want *));
    for (size_t i = 0; i < wants->n; i++)
        by_last[i] = &wants->items[i];
    qsort(by_last, wants->n, sizeof(struct want *), compare_last);
    for (size_t i = 0; i < wants->n; i++) {
        const struct want *from = &wants->items[i];
        int64_t n = 0;
        for (size_t k = 0; k < wants->n; k++) {
            int64_t last = by_last[k]->last, room = last - from->first.port + 1;
            n += is_within(from, last, by_last[k]);
            if (n == 0 || n <= room)
                continue;
            if (!best || room < best_last - best->first.port + 1) {
                best = from;
                best_last = last;
            }
            break;
        }
    }
    if (best)
        describe_shortage(wants, best, best_last, ret);
    return best;
}

/* Returns "8080" or "8080-8089", with address and protocol. The caller frees it. */
static char *range_text(const struct want *w)
{
    char text[HOST_PORT_TEXT_SIZE];
    host_port_text(&w->first, text);
    if (w->last == w->first.port)
        return xstrdup(text);
    char *slash = strchr(text, '/');
    int n = slash ? (int)(slash - text) : (int)strlen(text);
    return xasprintf("%.*s-%" PRId64 "%s", n, text, w->last, slash ?: "");
}

/* --- one manifest --- */

static int check_entry(const struct app_spec *spec, const struct app_replica *replica, size_t at,
                       const char *where, struct error *e)
{
    const struct app_service_port *p = replica->service_ports[at];
    ssize_t port = find_port(spec, p);
    struct error why = ERROR_INIT;
    if (port < 0)
        return error_refuse(e, EINVAL, "%s: '%.100s' (port %" PRId64 ") is none of the spec's service_ports",
                            where, p->name ?: "", p->port);
    bool bare = !p->host_port_last && !p->protocol && !(p->host_address && *p->host_address);
    if ((p->host_port != 0 || !bare) && host_binding_check(p, &why) < 0)
        return error_refuse(e, EINVAL, "%s/%s", where, why.message);
    for (size_t k = 0; k < at; k++)
        if (find_port(spec, replica->service_ports[k]) == port)
            return error_refuse(e, EINVAL, "%s: a second entry for port '%s'", where,
                                spec->service_ports[port]->name);
    return 0;
}

/* Returns the pointer of the place that states what is wanted. The caller frees it. */
static char *pointer_of(const struct want *w)
{
    return w->entry == NO_ENTRY
               ? xasprintf("/app/spec/service_ports/%zu/port", w->port)
               : xasprintf("/app/deploy/replicas/%zu/service_ports/%zu/host_port", w->replica, w->entry);
}

static int refuse_shortage(const struct shortage *s, const struct app_spec *spec,
                           const struct app_deploy *deploy, struct error *e)
{
    _cleanup_free_ char *where = pointer_of(s->last), *range = range_text(&s->of);
    const char *name = spec->service_ports[s->first->port]->name;
    int64_t id = deploy && deploy->n_replicas > 0 ? deploy->replicas[s->first->replica]->id : 0;
    if (s->of.last > s->of.first.port)
        return error_refuse(e, EINVAL, "%s: %zu ports are wanted of %s, which has %" PRId64, where, s->n,
                            range, s->of.last - s->of.first.port + 1);
    if (s->last->entry == NO_ENTRY) {
        _cleanup_free_ char *own = range_text(s->last);
        return error_refuse(e, EINVAL,
                            "%s: the port would be published as %s, which port '%s' has: name another one in "
                            "host_ports",
                            where, own, name);
    }
    return error_refuse(e, EINVAL, "%s: %s is given twice (replica %" PRId64 " has it already)", where, range,
                        id);
}

/* Refuses two ports of the spec with one number, unless all replicas say for one of them how it is published.
 */
static int check_numbers(const struct app_spec *spec, const struct app_deploy *deploy, struct error *e)
{
    size_t n = deploy ? deploy->n_replicas : 0;
    for (size_t i = 0; i < spec->n_service_ports; i++)
        for (size_t j = 0; j < i; j++) {
            const struct app_spec_port *p = spec->service_ports[i], *other = spec->service_ports[j];
            bool told = p->port != other->port || n > 0;
            for (size_t k = 0; told && p->port == other->port && k < n; k++)
                told = is_stated(spec, deploy->replicas[k], i) || is_stated(spec, deploy->replicas[k], j);
            if (!told)
                return error_refuse(
                    e, EINVAL,
                    "/app/spec/service_ports/%zu/port: '%s' and '%s' have the same port %" PRId64
                    ", and host_ports names neither",
                    i, other->name, p->name, p->port);
        }
    return 0;
}

int check_bindings(const struct app_spec *spec, const struct app_deploy *deploy, struct error *e)
{
    struct wants wants = {.n = 0};
    struct shortage shortage;
    int r = check_numbers(spec, deploy, e);
    for (size_t i = 0; r >= 0 && deploy && i < deploy->n_replicas; i++)
        for (size_t k = 0; r >= 0 && k < deploy->replicas[i]->n_service_ports; k++) {
            _cleanup_free_ char *where = xasprintf("/app/deploy/replicas/%zu/service_ports/%zu", i, k);
            r = check_entry(spec, deploy->replicas[i], k, where, e);
        }
    if (r < 0)
        return r;
    add_all(&wants, 0, spec, deploy);
    if (find_shortage(&wants, &shortage))
        r = refuse_shortage(&shortage, spec, deploy, e);
    free(wants.items);
    return r;
}

/* --- several manifests --- */

int app_check_together(const struct app_manifest *manifests, size_t n, size_t *ret_first, size_t *ret_second,
                       struct error *e)
{
    struct wants wants = {.n = 0};
    struct shortage s;
    int r = 0;
    for (size_t i = 0; i < n; i++)
        if (app_action_of(manifests[i].app->deploy) != APP_ACTION_DESTROY)
            add_all(&wants, i, manifests[i].app->spec, manifests[i].app->deploy);
    if (find_shortage(&wants, &s)) {
        _cleanup_free_ char *range = range_text(&s.of);
        const char *first = app_instance_name(&manifests[s.first->manifest]),
                   *second = app_instance_name(&manifests[s.last->manifest]);
        *ret_first = s.first->manifest;
        *ret_second = s.last->manifest;
        r = s.of.last == s.of.first.port
                ? error_refuse(e, EEXIST, "instance '%s' and instance '%s' want the same host port %s", first,
                               second, range)
                : error_refuse(e, EEXIST,
                               "instance '%s', instance '%s' and perhaps others want %zu host ports of %s, "
                               "which has %" PRId64,
                               first, second, s.n, range, s.of.last - s.of.first.port + 1);
    }
    free(wants.items);
    return r;
}
