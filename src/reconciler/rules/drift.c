/* Implements drift.h. */
#include "reconciler/rules/drift.h"

#include <stdlib.h>

#include "lib/app/host_port.h"
#include "lib/basic/cleanup.h"

/* Returns the reference in one form: without "docker.io/" and "library/" at its beginning, and with the tag
 * "latest" if it has neither tag nor digest. "docker.io/library/nginx" becomes "nginx:latest". The name of
 * another registry stays. The caller frees it. */
static char *full_name(const char *image)
{
    const char *name = after_prefix(image, "docker.io/") ?: image;
    name = after_prefix(name, "library/") ?: name;
    const char *last = strrchr(name, '/') ?: name;
    return strchr(last, ':') || strchr(name, '@') ? xstrdup(name) : xasprintf("%s:latest", name);
}

static bool same_image(const char *a, const char *b)
{
    _cleanup_free_ char *x = full_name(a), *y = full_name(b);
    return streq(x, y);
}

/* Reports whether an adopted container has another image than the revision. A container of this tree is
 * compared by its revision and config instead. */
static bool has_other_image(const struct driver_container *c, const struct record_revision *revision)
{
    const char *wanted = revision->manifest->app->spec->image;
    if (!c->adopted || !wanted || !c->image || same_image(c->image, wanted))
        return false;
    return !streq_null(c->image_id, revision->image_id);
}

/* Reports whether the container has another address. A container that does not run may show none, which is no
 * difference. */
static bool has_other_address(const struct driver_container *c, const char *wanted)
{
    if (!c->vpc_ipv4)
        return wanted && driver_state_has_processes((enum driver_state)c->state);
    return !streq_null(c->vpc_ipv4, wanted);
}

/* Reports whether the container has the binding. Of an adopted container, the original agent chose the
 * address, and the zone wants none. */
static bool has_port(const struct driver_container *c, const struct app_service_port *wanted)
{
    for (size_t i = 0; i < c->n_ports; i++) {
        const struct driver_port *p = c->ports[i];
        bool address = streq_null(p->host_address, wanted->host_address);
        if (p->port == wanted->port && p->host_port == wanted->host_port && p->protocol == wanted->protocol &&
            (address || (c->adopted && !wanted->host_address)))
            return true;
    }
    return false;
}

static char *address_reason(const char *is, const char *wanted)
{
    return xasprintf("its address in the zone's network is %s, and %s is desired", is ?: "none",
                     wanted ?: "none");
}

static char *port_reason(const struct app_service_port *wanted)
{
    char text[HOST_PORT_TEXT_SIZE];
    struct host_port port = host_port_of(wanted);
    return xasprintf("its port %lld is not published on host port %s", (long long)wanted->port,
                     host_port_text(&port, text));
}

char *drift_reason(const struct driver_container *c, const struct drift_wish *wish)
{
    const struct app_deploy *deploy = wish->revision->manifest->app->deploy;
    if (c->state == DRIVER_MISSING || !deploy)
        return NULL;
    if (c->cpu_limit_lost && deploy->cpu_limit > 0)
        return xstrdup("the runtime has lost its CPU limit");
    if (has_other_image(c, wish->revision))
        return xasprintf("its image is '%s', and '%s' is desired", c->image,
                         wish->revision->manifest->app->spec->image);
    if (has_other_address(c, wish->vpc_ipv4))
        return address_reason(c->vpc_ipv4, wish->vpc_ipv4);
    if (c->lxcfs_differs)
        return xasprintf("it has %s of lxcfs, and a new one would have %s",
                         c->lxcfs ? "the files" : "no file", c->lxcfs ? "none" : "them");
    /* Only a running container shows its ports. */
    for (size_t i = 0; driver_state_has_processes((enum driver_state)c->state) && i < wish->n_ports; i++)
        if (!has_port(c, wish->ports[i]))
            return port_reason(wish->ports[i]);
    return NULL;
}

bool drift_is_seen(const struct drift *drift, const struct driver_container *c, int64_t applied_revision,
                   const struct drift_wish *wish)
{
    int64_t revision = wish->revision->revision;
    if (applied_revision != revision || c->revision != revision || c->state == DRIVER_MISSING)
        return false;
    _cleanup_free_ char *reason = drift->seen ? NULL : drift_reason(c, wish);
    return drift->seen || reason;
}

bool drift_is_mended_now(const struct drift *drift, uint64_t now)
{
    return !drift->mended_at || now - drift->mended_at >= DRIFT_PAUSE_USEC;
}

void drift_note_replacement(struct drift *drift, const struct driver_container *c,
                            const struct drift_wish *wish, uint64_t now)
{
    if (c->revision != wish->revision->revision || (!c->adopted && !streq_null(c->config, wish->config)))
        return;
    drift->mended_at = now;
}
