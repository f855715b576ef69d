/* Makes the replies that describe an instance, and sends changes to watchers. */
#pragma once

#include "lib/varlink/server.h"
#include "reconciler/model/instance.h"

/* A Watch in progress. */
struct watcher {
    struct watcher *next;
    struct manager *manager;
    struct varlink_call *call;
    char *name; /* NULL: all instances */
};

/* Return the description of an instance. The caller frees it. */
struct reconciler_instance *report_instance(const struct instance *instance);
struct reconciler_instance *report_unreadable(const struct manager *m, const struct unreadable *u);
/* Of a file that cannot be followed and has no instance. */
struct reconciler_instance *report_file(const struct manager *m, const char *name);
/* Returns why the zone's order is not followed; NULL: it is. The caller frees the text. */
char *report_problem(const struct instance *instance);

/* Send the instance to watchers. report_gone() is the last notice of it, and ends watches that follow
 * only this instance. */
void report_changed(struct instance *instance);
void report_gone(struct instance *instance);
void report_unreadable_changed(struct manager *m, const struct unreadable *u);
/* Sends that a file in the directory of manifests can be followed or not; the end of one without an instance
 * is sent as 'gone'. */
void report_file_changed(struct manager *m, const char *name);
