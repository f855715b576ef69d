/* Declares the null runtime, which stores containers and does not run them. It is for tests, and for many
 * replicas on a small machine.
 *
 * Each container has a file in the state directory, so that containers survive a restart of the driver as
 * those of a real runtime do, and tests can kill the driver. An image's name determines what its containers
 * do (behaviour.h). */
#pragma once

#include <systemd/sd-event.h>

#include "container-driver/runtime.h"
#include "lib/loop/timer.h"

struct null;
struct null_container;
struct null_log;

/* Creates the runtime and loads its containers from 'directory', which must exist and be writable. Borrows
 * 'settings'. Returns 0 or a negative errno. */
int null_new(sd_event *event, const struct settings *settings, const char *directory, struct runtime **ret,
             struct error *e);

struct null_container {
    struct null *null;
    struct null_container *next;
    char *tree; /* value of the label io.hostlet.tree; NULL: none */
    /* Values of the contract's labels; NULL: none. A test can make or change a container's file as another
     * program would make or change a container. */
    char *app_name, *app_rep_id;
    struct driver_container *c; /* without the members of owner.h, which each description computes */
    uint64_t began_usec;        /* CLOCK_MONOTONIC, when this process started it; 0: an earlier one did */
    bool healthy;               /* its last run lasted long enough to reset the backoff */
    struct timer timer;         /* until the next simulated exit or restart */
};

struct null_image {
    char *reference; /* canonical */
    char *id;
};

struct null {
    struct runtime rt;
    sd_event *event;
    const struct settings *settings;
    char *directory;
    struct null_container *containers;
    struct null_image *images;
    size_t n_images;
    struct null_log *logs; /* logs in progress */
    bool watched;
};

/* Returns the container with an id or name, or NULL. */
struct null_container *null_find(struct null *n, const char *id_or_name);
/* Reports an event of a container of this tree while events are watched. */
void null_event(struct null_container *k, const char *action);
/* Makes the error for an id that no container has. Returns −ENOENT (not found). */
int null_no_container(const char *id, struct error *e);
