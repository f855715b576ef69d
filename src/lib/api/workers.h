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

struct unpacker_unpack_in {
    char *name, *id;
    char *checksum; /* "sha256:…" that the data block must have; NULL: the one of the file's header */
};
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

/* io.hostlet.QuotaKeeper */
extern const struct varlink_interface quota_keeper_interface;

/* How much of its limits a replica uses, blocks or inodes, whichever is the worse. */
enum quota_level {
    QUOTA_BELOW,
    QUOTA_THRESHOLD, /* the configured part of the hard limit (where there is none: of the soft one) */
    QUOTA_SOFT,      /* beyond the soft limit, where that is the lower one */
    QUOTA_FULL,      /* nothing is left */
    QUOTA_OVER,      /* the limit was lowered below what is used */
};
enum quota_finding_kind {
    QUOTA_ORPHAN_PROJECT,    /* the kernel knows an id of our range that nobody owns */
    QUOTA_WITHOUT_DIRECTORY, /* an entry of the ledger, whose directory is gone */
    QUOTA_NOT_TAGGED,        /* a directory that does not carry its project, or not all of it does */
    QUOTA_USED_BY_OTHERS,    /* one of our ids is used by what is not ours */
    QUOTA_LIMITS_DIFFER,     /* the kernel has other limits than the ledger */
    QUOTA_NOT_ENFORCED,      /* the filesystem enforces nothing (any more) */
    QUOTA_DIRECTORY_UNKNOWN, /* a replica's directory without an entry in the ledger */
    QUOTA_NOT_DELETED,       /* what was removed, and is not gone yet */
    QUOTA_CHARGES_OTHERS,    /* files of a replica carry the project of somebody else */
};
extern const struct schema_enum quota_level_enum, quota_finding_enum;
extern const struct schema_struct quota_values_schema;

struct quota_ensure_in {
    char *container;
    int64_t soft, hard;          /* bytes; 0: none */
    int64_t inodes_soft, inodes; /* 'inodes' is the hard one; both 0: it follows from the bytes */
};
struct quota_finding {
    int kind; /* enum quota_finding_kind */
    int64_t project;
    char *container, *path, *mount_point;
    char *charged; /* of charges_others: the container whose project it is; NULL: no replica's */
    int64_t used, used_inodes, hard; /* of the kernel; of charges_others: of these files */
    char *message;                   /* one sentence: what it is, and what mends it */
};
struct quota_values {
    char *container;
    int64_t project;
    int64_t soft, hard, inodes_soft, inodes; /* read back from the kernel */
    int64_t used, used_inodes;               /* the same */
    bool released;                           /* limits are lifted, the data is kept */
    int level;                               /* enum quota_level */
    char *directory, *mount_point, *filesystem;
    char *not_enforced;              /* why the kernel does not hold it to the limits; NULL: it does */
    int64_t skipped;                 /* of Ensure and Recheck: files that could not be given the project */
    struct quota_finding **put_back; /* of Recheck: who was charged for its files */
    size_t n_put_back;
};
struct quota_list_out {
    struct quota_values *quota; /* NULL: the end of the list */
};
struct quota_container_in {
    char *container;
};
struct quota_recheck_out {
    char *container;            /* what was looked at; NULL: the end of the list */
    struct quota_values *quota; /* NULL: it could not be */
    char *problem;              /* why not */
};
struct quota_report_out {
    struct quota_finding *finding; /* NULL: the end of the list */
};
struct quota_watch_out {
    struct quota_values *quota; /* as it is now; NULL in the first answer, which says that the watch stands */
    int before;                 /* enum quota_level */
    bool not_deleted;           /* in the first answer: something that was removed is not gone yet */
};
struct quota_mount {
    char *mount_point, *source, *filesystem;
    bool accounted, enforced;
    char *reason, *remedy; /* where it does not enforce */
    int64_t projects;      /* of the ledger */
};
struct quota_info_out {
    char *mount_point, *filesystem; /* of the app path */
    bool enforced;
    char *reason, *remedy;
    int64_t id_min, id_max;      /* the range that ids are taken from */
    int64_t projects;            /* of the ledger */
    int64_t threshold;           /* percent */
    char *ledger;                /* its path */
    struct quota_mount **mounts; /* of all replicas' directories, the app path's first */
    size_t n_mounts;
};
