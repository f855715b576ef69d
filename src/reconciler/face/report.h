/* What callers are shown of an instance, and telling those who watch. */
#pragma once

#include "lib/varlink/server.h"
#include "reconciler/model/instance.h"

struct watcher {
    struct watcher *next;
    struct manager *manager;
    struct varlink_call *call;
    char *name; /* NULL: all */
};

struct reconciler_instance *report_instance(const struct instance *instance);
struct reconciler_instance *report_unreadable(const struct manager *m, const struct unreadable *u);
/* Why the zone's order is not followed; the caller frees. */
char *report_problem(const struct instance *instance);

/* Tell those who watch; of report_gone(), for the last time. */
void report_changed(struct instance *instance);
void report_gone(struct instance *instance);
void report_unreadable_changed(struct manager *m, const struct unreadable *u);
