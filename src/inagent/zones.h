/* Loads time zones from the image's zone database, and keeps them. */
#pragma once

#include "lib/cron/tz.h"

struct zone {
    char *name;
    struct tz *tz; /* NULL: UTC */
};

struct zones {
    struct zone *zones;
    size_t n_zones;
};

/* Sets *ret to a time zone (NULL: UTC), which 'context', the struct zones, owns. The name "" is local time:
 * that of the variable TZ or of /etc/localtime. Fails with what is missing in the image. Local time never
 * fails: a wrong TZ is logged, and means UTC. */
int zones_find(void *context, const char *name, const struct tz **ret, struct error *e);

void zones_clear(struct zones *zones);
