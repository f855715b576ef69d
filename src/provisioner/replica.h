/* The directory of one replica: made, filled, taken back. */
#pragma once

#include "lib/basic/error.h"

/* What app_replica.json shall hold and, for a container that is to be made, the two programs beside it. All
 * texts are borrowed. */
struct replica_content {
    const char *json;
    const char *ininit;  /* path to copy from; NULL: app_replica.json alone (Update) */
    const char *inagent; /* the same */
};

/* What happened on the way; filled also on failure. */
struct replica_result {
    bool restored; /* kept data was taken back */
    bool hidden;   /* something of the tenant's lay in our place, and is to be deleted: see deletion.h */
};

/* Makes the directory complete, from the newest kept data where there is some. Repeating it is fine at any
 * time: what is as it should be is not written. */
int replica_provision(const char *app_path, const char *container, const struct replica_content *content,
                      struct replica_result *ret, struct error *e);

/* Rewrites app_replica.json of a replica that is there. */
int replica_update(const char *app_path, const char *container, const struct replica_content *content,
                   struct replica_result *ret, struct error *e);
