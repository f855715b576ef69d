/* The interface of quota-keeper: project quotas of the replicas. Its messages begin with quota_, which
 * nothing else in this folder does. */
#pragma once

#include "lib/varlink/interface.h"

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
    struct quota_values *quota; /* as it is now */
    int before;                 /* enum quota_level, of a change */
    bool complete;              /* all was told */
    bool not_deleted;           /* with complete: something that was removed is not gone yet */
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
