/* Makes and fills the directory of one replica, and restores it from kept data. */
#pragma once

#include "provisioner/volumes.h"

/* The content of app_replica.json and, for Provision, the two programs beside it. All texts are borrowed. */
struct replica_content {
    const char *json;     /* NULL: the container has no agent, hence neither these files nor opt and home */
    const char *ininit;   /* path to copy from; NULL: app_replica.json alone (Update) */
    const char *inagent;  /* path to copy from; NULL as 'ininit' */
    char *const *volumes; /* paths in the container */
    size_t n_volumes;
};

/* Side effects of a request; filled also on failure. */
struct replica_result {
    bool restored; /* kept data became the replica's directory */
    /* Something of the tenant's was in the place of a directory or file of hostlet and is hidden: see
     * deletion.h. */
    bool hidden;
};

/* Makes the directory complete. If the container has no directory, its newest kept data is used where
 * there is some. The function can be repeated at any time; files that are already correct are not written. */
int replica_provision(const char *app_path, const char *container, const struct replica_content *content,
                      struct replica_result *ret, struct error *e);

/* Rewrites app_replica.json of an existing replica. Returns 0, or −ENOENT (not found) if there is none. */
int replica_update(const char *app_path, const char *container, const struct replica_content *content,
                   struct replica_result *ret, struct error *e);

/* Writes task_request.json, whose content is 'json', of an existing replica. Returns −ENOENT (not found) if
 * there is none. */
int replica_request(const char *app_path, const char *container, const char *json, struct replica_result *ret,
                    struct error *e);

/* Does one act for the copies of an existing replica's volumes; see volumes_copy(). Returns −ENOENT (not
 * found) if there is no such replica. */
int replica_copy(const char *app_path, const char *container, enum volumes_copy act, char *const *paths,
                 size_t n, struct replica_result *ret, struct error *e);
