/* Records that cannot be read. */
#pragma once

#include "reconciler/model/instance.h"

/* An instance whose record cannot be read. */
struct unreadable {
    struct unreadable *next;
    char *name, *path, *reason;
    int64_t *ports; /* host ports of its containers, as far as they were seen */
    size_t n_ports;
    struct app_instance
        *order; /* of the zone for this name, which waits; NULL: none. Not durable: it is told again */
    int64_t order_since; /* unix milliseconds */
};

void unreadable_add(struct manager *m, const char *file, const char *reason); /* 'file' ends in ".json" */
void unreadable_free_all(struct manager *m);
struct unreadable *unreadable_find(const struct manager *m, const char *name);
char *unreadable_problem(const struct unreadable *u); /* the caller frees */
int unreadable_refuse(const struct unreadable *u, struct error *e);
void unreadable_saw(struct manager *m, const struct driver_container *c); /* one that the runtime lists */
void unreadable_forget(struct manager *m, struct unreadable *u);          /* frees it */
