/* Implements unreadable.h. */
#include "reconciler/model/unreadable.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/app/limits.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"

void unreadable_add(struct manager *m, const char *file, const char *reason)
{
    struct unreadable *u = xcalloc(1, sizeof *u);
    u->name = xstrndup(file, strlen(file) - strlen(".json"));
    u->path = xasprintf("%s/instances/%s", m->state_dir, file);
    u->reason = xstrdup(reason);
    u->next = m->unreadable;
    m->unreadable = u;
    log_error("instance %s: its record '%s' cannot be read: %s; the instance is left unchanged", u->name,
              u->path, reason);
}

static void unreadable_free(struct unreadable *u)
{
    if (u->order)
        schema_free(&app_instance_schema, u->order);
    free(u->ports);
    free(u->name);
    free(u->path);
    free(u->reason);
    free(u);
}

void unreadable_free_all(struct manager *m)
{
    while (m->unreadable) {
        struct unreadable *next = m->unreadable->next;
        unreadable_free(m->unreadable);
        m->unreadable = next;
    }
}

struct unreadable *unreadable_find(const struct manager *m, const char *name)
{
    for (struct unreadable *u = m->unreadable; u; u = u->next)
        if (streq(u->name, name))
            return u;
    return NULL;
}

char *unreadable_problem(const struct unreadable *u)
{
    return xasprintf(
        "its record '%s' cannot be read: %.600s; nothing of it is touched until the file is repaired and the "
        "reconciler restarted, or 'hostletctl destroy %s' puts the file aside and removes its containers",
        u->path, u->reason, u->name);
}

int unreadable_refuse(const struct unreadable *u, struct error *e)
{
    _cleanup_free_ char *problem = unreadable_problem(u);
    return error_refuse(e, EBADMSG, "instance %s: %s", u->name, problem);
}

void unreadable_saw(struct manager *m, const struct driver_container *c)
{
    struct unreadable *u = c->ours ? unreadable_find(m, c->instance) : NULL;
    for (size_t i = 0; u && i < c->n_ports; i++) {
        u->ports = xrealloc(u->ports, u->n_ports + 1, sizeof *u->ports);
        u->ports[u->n_ports++] =
            host_port_at(c->ports[i]->protocol, c->ports[i]->host_address, c->ports[i]->host_port);
    }
}

void unreadable_forget(struct manager *m, struct unreadable *u)
{
    for (struct unreadable **at = &m->unreadable; *at; at = &(*at)->next)
        if (*at == u) {
            *at = u->next;
            break;
        }
    unreadable_free(u);
}
