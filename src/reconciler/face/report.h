/* What callers are shown of an instance, and telling those who watch. */
#pragma once

#include "reconciler/model/instance.h"

struct watcher {
    struct watcher *next;
    struct manager *manager;
    struct varlink_call *call;
    char *name; /* NULL: all */
};

struct reconciler_instance *report_instance(const struct instance *instance);
/* Adds to 'to' that an order of the zone, which waits since then, has failed on this host (NULL: of no zone),
 * for 'to->problem'. */
void report_clash(const struct app_instance *order, int64_t since, const char *host_id,
                  struct reconciler_instance *to);
void unreadable_changed(struct manager *m, const struct unreadable *u); /* tells the watchers */
void instance_changed(struct instance *instance); /* tells the watchers, once per turn of the loop */
void watchers_gone(struct instance *instance);    /* tells the watchers that it is no more */
