/* The interface of the provisioner: directories of replicas, and install directories of packages. */
#pragma once

#include "lib/api/app.h"
#include "lib/api/package.h"
#include "lib/varlink/interface.h"

extern const struct varlink_interface provisioner_interface;

struct provisioner_provision_in {
    char *container; /* i8k_INSTANCE_ID */
    /* NULL: the container has no agent, and its directory has volumes alone. */
    struct app_replica_instance *replica;
    char *arch;     /* of the runtime, to choose inagent; NULL: this machine's */
    char **volumes; /* paths in the container */
    size_t n_volumes;
};
struct provisioner_provision_out {
    char *path;    /* the replica's directory */
    bool restored; /* kept data of an earlier replica of this name became the directory */
};
struct provisioner_update_in { /* the new content of app_replica.json of an existing replica */
    char *container;
    struct app_replica_instance *replica;
};
struct provisioner_request_task_in {
    char *container;
    char *task;
    char *id; /* of the request; inagent reports it with the run */
};
struct provisioner_copy_in { /* of BeginCopy and EndCopy */
    char *container;
    char **volumes; /* paths in the container */
    size_t n_volumes;
    bool complete; /* of EndCopy: the copies become the volumes; false: they are removed */
};
struct provisioner_remove_in {
    char *container;
    bool purge; /* deletes the data, too, and the kept data of earlier removals */
};
struct provisioner_remove_out {
    char *kept; /* path of the kept data; NULL: there is none, or it was purged */
    /* After a purge: containers of the same instance that have kept data and no directory. */
    char **others;
    size_t n_others;
};
struct provisioner_list_out { /* one per directory */
    char *container, *path;
    bool removed;
    int64_t removed_at; /* unix seconds */
};

struct provisioner_deletions_out { /* one for each hidden directory that is not deleted yet */
    char *path;                    /* NULL: the end of the list */
    char *container;    /* the container that it belonged to; NULL: its name does not contain one */
    bool running;       /* a thread deletes it, or it waits for a thread */
    int64_t attempts;   /* failed attempts in a row */
    int64_t next_retry; /* unix milliseconds; 0: now */
    char *message;      /* why the last attempt failed; NULL: no attempt failed */
};

struct provisioner_publish_out {
    char *path; /* the install directory */
};
