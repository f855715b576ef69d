/* The interfaces of the workers: fetcher, unpacker, provisioner, quota-keeper. One declaration for server,
 * callers and description. */
#pragma once

#include "lib/api/app.h"
#include "lib/varlink/interface.h"

/* A package as it was resolved: enough to get the same bits again. */
struct package_reference {
    char *id, *name, *version, *os, *arch;
    char *sha256;     /* of the whole file, 64 hex digits; NULL where the repository does not say */
    char *checksum;   /* of the data block: "sha256:…" */
    int64_t size;     /* of the whole file, bytes */
    char *repository; /* where it was found: its URL, without user and password */
    char *file;       /* and under which name there, relative to the repository; NULL: to be looked up */
};
extern const struct schema_struct package_reference_schema;

/* io.hostlet.Fetcher */
extern const struct varlink_interface fetcher_interface;

struct fetcher_resolve_in {
    char *name, *version; /* the version rule; NULL: the newest */
    char *os, *arch;      /* NULL: linux, this machine's */
};
struct fetcher_resolve_out {
    struct package_reference *package;
};
struct fetcher_fetch_in {
    struct package_reference *package;
};
struct fetcher_fetch_out { /* progress, and the final answer with path */
    int64_t done, total;   /* bytes */
    char *message;         /* what is happening, for a human */
    char *path;
};
struct fetcher_list_out { /* one per package of the store */
    char *id, *name, *path;
    int64_t size;
    bool complete; /* false: a partial download */
};
struct package_name_in {
    char *name, *id;
};

/* io.hostlet.Unpacker */
extern const struct varlink_interface unpacker_interface;

struct unpacker_unpack_out { /* progress, and the final answer with path */
    int64_t done, total;     /* bytes of the package that were read */
    int64_t entries, size;   /* unpacked so far */
    char *path;
};
struct unpacker_list_out {
    char *id, *name, *path;
};

/* io.hostlet.Provisioner */
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
    char *kept; /* path where the data is kept; NULL: there was none, or it was purged */
};
struct provisioner_list_out { /* one per directory */
    char *container, *path;
    bool removed;
    int64_t removed_at; /* unix seconds */
};

/* io.hostlet.Quota */
extern const struct varlink_interface quota_interface;

struct quota_ensure_in {
    char *container;
    int64_t soft, hard; /* bytes; 0: none */
    int64_t inodes;     /* 0: none */
};
struct quota_values {
    char *container;
    int64_t project, soft, hard, inodes, used, used_inodes;
};
struct quota_container_in {
    char *container;
};
struct quota_info_out {
    char *mount_point, *filesystem;
    bool enforced;
    char *reason; /* why not */
};
