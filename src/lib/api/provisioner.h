/* The interface of provisioner: the directories of replicas, and install directories of packages. */
#pragma once

#include "lib/api/app.h"
#include "lib/api/package.h"
#include "lib/varlink/interface.h"

extern const struct varlink_interface provisioner_interface;

struct provisioner_provision_in {
    char *container; /* i8k_INSTANCE_ID */
    struct app_replica_instance *replica;
    char *arch; /* of the runtime, for inagent; NULL: this machine's */
};
struct provisioner_provision_out {
    char *path;    /* of the replica's directory */
    bool restored; /* kept data of an earlier replica of this name was taken back */
};
struct provisioner_update_in { /* app_replica.json of a replica that runs */
    char *container;
    struct app_replica_instance *replica;
};
struct provisioner_remove_in {
    char *container;
    bool purge; /* the data too, kept data of earlier removals included */
};
struct provisioner_remove_out {
    char *kept;    /* path where the data is kept; NULL: there was none, or it was purged */
    char **others; /* of a purge: containers of the same instance of which nothing but kept data is there */
    size_t n_others;
};
struct provisioner_list_out { /* one per directory */
    char *container, *path;
    bool removed;
    int64_t removed_at; /* unix seconds */
};

struct provisioner_deletions_out { /* one per hidden directory that is not gone yet */
    char *path;                    /* NULL: the end of the list */
    char *container;               /* whose it was; NULL: its name does not say */
    bool running;                  /* a thread is at it, or it waits for one */
    int64_t attempts;              /* that failed in a row */
    int64_t next_retry;            /* unix milliseconds; 0: now */
    char *message;                 /* why the last attempt failed; NULL: none did */
};

struct provisioner_publish_out {
    char *path; /* of the install directory */
};
