/* Keeps the instances whose records cannot be read.
 *
 * Only that instance is affected: its containers are left unchanged, its name, packages and host ports stay
 * in use, and it is shown with the reason. This ends when an administrator repairs the file and restarts the
 * reconciler, or destroys the instance: the file is then kept as PATH.unreadable, and a new record removes
 * all objects of that name from this machine. */
#pragma once

#include "reconciler/model/instance.h"

/* An instance whose record cannot be read. */
struct unreadable {
    struct unreadable *next;
    char *name, *path, *reason;
    struct host_port *ports; /* host ports of its containers, as listed by the runtime */
    size_t n_ports;
    /* The zone's order for this name, which waits; NULL: none. It is not saved: rpc-gateway sends it again
     * after a restart. */
    struct app_instance *order;
    int64_t order_since; /* unix milliseconds */
};

/* Adds an instance and logs the reason. 'file' is the name of its record and ends in ".json". */
void unreadable_add(struct manager *m, const char *file, const char *reason);
void unreadable_free_all(struct manager *m);
/* Returns NULL if no unreadable record has the name. */
struct unreadable *unreadable_find(const struct manager *m, const char *name);
/* Returns the text that is shown to callers, with the remedies. The caller frees it. */
char *unreadable_problem(const struct unreadable *u);
/* Sets the error to that text and returns −EBADMSG (refused). */
int unreadable_refuse(const struct unreadable *u, struct error *e);
/* Stores the host ports of a container that the runtime lists, if it belongs to such an instance. */
void unreadable_saw(struct manager *m, const struct driver_container *c);
/* Removes 'u' from the list and frees it. */
void unreadable_forget(struct manager *m, struct unreadable *u);
