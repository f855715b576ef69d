/* The interface of quota-keeper: project quotas of the replicas. Its messages begin with quota_, as no
 * others in this folder do. */
#pragma once

#include "lib/varlink/interface.h"

extern const struct varlink_interface quota_keeper_interface;

/* How much of its limits a replica uses: the worse level of bytes and inodes. */
enum quota_level {
    QUOTA_BELOW,
    QUOTA_THRESHOLD, /* the configured part of the hard limit, or of the soft one if there is no hard limit */
    QUOTA_SOFT,      /* beyond the soft limit, if it is below the hard one */
    QUOTA_FULL,      /* the whole hard limit is used */
    QUOTA_OVER,      /* more than the hard limit is used, since it was lowered */
};
enum quota_finding_kind {
    QUOTA_ORPHAN_PROJECT, /* the kernel has an id of the range with usage or limits, and no replica owns it */
    QUOTA_WITHOUT_DIRECTORY, /* an item of the ledger whose directory no longer exists */
    QUOTA_NOT_TAGGED,        /* a directory does not carry its project, or not all of its files do */
    QUOTA_USED_BY_OTHERS,    /* an id of the ledger is also used by other programs or directories */
    QUOTA_LIMITS_DIFFER,     /* the kernel has other limits than the ledger */
    QUOTA_NOT_ENFORCED,      /* the filesystem does not enforce limits */
    QUOTA_DIRECTORY_UNKNOWN, /* a replica's directory without an item in the ledger */
    QUOTA_NOT_DELETED,       /* a removed directory is not deleted yet */
    QUOTA_CHARGES_OTHERS,    /* files of a replica carry another project */
};
extern const struct schema_enum quota_level_enum, quota_finding_enum;
extern const struct schema_struct quota_values_schema;

struct quota_ensure_in {
    char *container;
    int64_t soft, hard;          /* bytes; 0: none */
    int64_t inodes_soft, inodes; /* 'inodes' is the hard limit; both 0: it is derived from the bytes */
};
struct quota_finding {
    int kind; /* enum quota_finding_kind */
    int64_t project;
    char *container, *path, *mount_point;
    /* of charges_others: the container whose project it is; NULL: no replica's */
    char *charged;
    int64_t used, used_inodes, hard; /* from the kernel; of charges_others: sums over these files */
    char *message;                   /* one sentence with the remedy */
};
struct quota_values {
    char *container;
    int64_t project;
    int64_t soft, hard, inodes_soft, inodes; /* read back from the kernel */
    int64_t used, used_inodes;               /* read from the kernel */
    bool released;                           /* limits are lifted, the data is kept */
    int level;                               /* enum quota_level */
    char *directory, *mount_point, *filesystem;
    char *not_enforced;              /* why the kernel does not enforce the limits; NULL: it does */
    int64_t skipped;                 /* of Ensure and Recheck: files that could not get the project */
    struct quota_finding **put_back; /* of Recheck: which projects were charged for its files */
    size_t n_put_back;
};
struct quota_list_out {
    struct quota_values *quota; /* NULL: the end of the list */
};
struct quota_container_in {
    char *container;
};
struct quota_recheck_out {
    /* the container or entry that was rechecked; NULL: the end of the list */
    char *container;
    struct quota_values *quota; /* NULL: the recheck failed */
    char *problem;              /* why it failed */
};
struct quota_report_out {
    struct quota_finding *finding; /* NULL: the end of the list */
};
struct quota_watch_out {
    struct quota_values *quota; /* the present values */
    int before;                 /* enum quota_level before a change */
    bool complete;              /* the snapshot is complete */
    bool not_deleted;           /* with complete: a removed directory is not deleted yet */
};
struct quota_mount {
    char *mount_point, *source, *filesystem;
    bool accounted, enforced;
    char *reason, *remedy; /* if limits are not enforced */
    int64_t projects;      /* items of the ledger */
};
struct quota_info_out {
    char *mount_point, *filesystem; /* of the app path */
    bool enforced;
    char *reason, *remedy;
    int64_t id_min, id_max;      /* the range of project ids */
    int64_t projects;            /* items of the ledger */
    int64_t threshold;           /* percent */
    char *ledger;                /* path of the ledger */
    struct quota_mount **mounts; /* of all replicas' directories; the app path's is the first */
    size_t n_mounts;
};
