/* The null runtime: containers that are only written down. For tests, and for many replicas on a small
 * machine.
 *
 * One file per container in its state directory, so that it survives a restart of the driver as a real
 * runtime would: kill tests mean something. What a container does is told by its image's name
 * (behaviour.h). */
#pragma once

#include <systemd/sd-event.h>

#include "container-driver/runtime.h"
#include "lib/loop/timer.h"

struct null;
struct null_container;
struct null_log;

/* 'directory' exists and is ours to write. */
int null_new(sd_event *event, const struct settings *settings, const char *directory, struct runtime **ret,
             struct error *e);

struct null_container {
    struct null *null;
    struct null_container *next;
    char *tree;                 /* value of its label; NULL for one that is not ours */
    struct driver_container *c; /* 'ours' and 'owner' are worked out at each answer */
    struct timer timer;         /* what it does next by itself: exits, is restarted */
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
    struct null_log *logs; /* being followed */
    bool watched;
};

struct null_container *null_find(struct null *n, const char *id_or_name);
void null_event(struct null_container *k, const char *action);
/* The error for an id that is not there. */
int null_no_container(const char *id, struct error *e);
