/* Receives the kernel's notifications about devices, addresses, routes and forwarding entries, and reports
 * those that may concern the zone's network. Nothing polls. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/basic/error.h"
#include "net-keeper/plan.h"

struct watch;
typedef void (*watch_fn)(void *userdata);

/* Calls 'changed' in the loop after notifications that concern the network, or after lost ones. Returns 0 or
 * a negative errno. */
int watch_new(sd_event *event, watch_fn changed, void *userdata, struct watch **ret, struct error *e);
void watch_free(struct watch *w); /* 'w' may be NULL */

/* Sets what concerns the network: the map (borrowed until the next call; NULL: none), and the device and the
 * one that carries it (0: unknown). */
void watch_set(struct watch *w, const struct map *map, int device, int lower);

/* Drops the notifications that wait: the caller is about to read everything. */
void watch_drain(struct watch *w);

/* Reports whether a notification concerns the network. */
bool watch_concerns(const struct map *map, int device, int lower, const struct nlmsghdr *message);
