/* Implements host_ports.h. */
#include "reconciler/face/host_ports.h"

#include "lib/basic/util.h"
#include "reconciler/face/listeners.h"
#include "reconciler/model/unreadable.h"
#include "reconciler/rules/ports.h"

struct list {
    struct port_uses uses;
    size_t room;
};

static void add(struct list *list, struct port_use use)
{
    if (list->uses.n_items == list->room) {
        list->room = list->room * 2 ?: 64;
        list->uses.items = xrealloc(list->uses.items, list->room, sizeof *list->uses.items);
    }
    list->uses.items[list->uses.n_items++] = use;
}

/* Adds the ports of both revisions, since the applied one runs again if the desired one fails or cannot be
 * prepared. */
static void add_replicas(struct list *list, const struct record *record)
{
    for (size_t i = 0; i < record->n_replicas; i++) {
        const struct record_replica *r = record->replicas[i];
        for (size_t k = 0; k < r->n_ports; k++)
            add(list, (struct port_use){host_port_of(r->ports[k]), PORT_OF_REPLICA, record->name, r->id});
        for (size_t k = 0; r->applied_revision != record->revision && k < r->n_applied_ports; k++)
            add(list,
                (struct port_use){host_port_of(r->applied_ports[k]), PORT_OF_REPLICA, record->name, r->id});
    }
}

static void add_unreadable(struct list *list, const struct unreadable *u)
{
    for (size_t i = 0; i < u->n_ports; i++)
        add(list, (struct port_use){u->ports[i], PORT_OF_UNREADABLE, u->name, 0});
}

static void add_listener(const struct host_port *port, void *userdata)
{
    add(userdata, (struct port_use){*port, PORT_OF_LISTENER, NULL, 0});
}

void host_ports_in_use(const struct manager *m, struct port_uses *ret)
{
    struct list list = {.room = 0};
    for (const struct instance *i = m->instances; i; i = i->next)
        add_replicas(&list, i->record);
    for (const struct unreadable *u = m->unreadable; u; u = u->next)
        add_unreadable(&list, u);
    for (size_t i = 0; i < m->settings.n_own_ports; i++)
        add(&list,
            (struct port_use){m->settings.own_ports[i].port, PORT_OF_TREE, m->settings.own_ports[i].key, 0});
    listeners_list(add_listener, &list);
    *ret = list.uses;
}
