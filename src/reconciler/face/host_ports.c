/* Implements host_ports.h. The kernel's tables in /proc/net show listeners. */
#include "reconciler/face/host_ports.h"

#include <stdio.h>

#include "lib/basic/cleanup.h"
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

static void add_replicas(struct list *list, const struct record *record)
{
    for (size_t i = 0; i < record->n_replicas; i++) {
        const struct record_replica *r = record->replicas[i];
        for (size_t k = 0; k < r->n_ports; k++)
            add(list, (struct port_use){r->ports[k]->host_port, PORT_OF_REPLICA, record->name, r->id});
    }
}

static void add_unreadable(struct list *list, const struct unreadable *u)
{
    for (size_t i = 0; i < u->n_ports; i++)
        add(list, (struct port_use){u->ports[i], PORT_OF_UNREADABLE, u->name, 0});
}

static void add_listeners(struct list *list, const char *table)
{
    _cleanup_fclose_ FILE *f = fopen(table, "re");
    char line[512];
    while (f && fgets(line, sizeof line, f)) {
        unsigned port, state;
        /* "sl: ADDRESS:PORT ADDRESS:PORT STATE …"; state 0A: listening. */
        if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &port, &state) == 2 && state == 0x0a)
            add(list, (struct port_use){port, PORT_OF_LISTENER, NULL, 0});
    }
}

void host_ports_in_use(const struct manager *m, struct port_uses *ret)
{
    struct list list = {.room = 0};
    for (const struct instance *i = m->instances; i; i = i->next)
        add_replicas(&list, i->record);
    for (const struct unreadable *u = m->unreadable; u; u = u->next)
        add_unreadable(&list, u);
    add_listeners(&list, "/proc/net/tcp");
    add_listeners(&list, "/proc/net/tcp6");
    *ret = list.uses;
}
