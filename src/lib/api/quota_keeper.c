/* Declares io.hostlet.QuotaKeeper; see quota_keeper.h. */
#include "lib/api/quota_keeper.h"

#include "lib/api/declare.h"

static const char *const quota_level_names[] = {
    [QUOTA_BELOW] = "below", [QUOTA_THRESHOLD] = "threshold", [QUOTA_SOFT] = "soft",
    [QUOTA_FULL] = "full",   [QUOTA_OVER] = "over",           NULL};
const struct schema_enum quota_level_enum = {
    "Level",
    "How much of its limits a replica uses: the worse level of bytes and inodes. threshold: the configured "
    "part of the hard limit, or of the soft one if there is no hard limit; soft: beyond the soft limit; "
    "full: the whole hard limit is used; over: more than the hard limit is used, since it was lowered.",
    quota_level_names};
static const char *const quota_finding_names[] = {[QUOTA_ORPHAN_PROJECT] = "orphan_project",
                                                  [QUOTA_WITHOUT_DIRECTORY] = "without_directory",
                                                  [QUOTA_NOT_TAGGED] = "not_tagged",
                                                  [QUOTA_USED_BY_OTHERS] = "used_by_others",
                                                  [QUOTA_LIMITS_DIFFER] = "limits_differ",
                                                  [QUOTA_NOT_ENFORCED] = "not_enforced",
                                                  [QUOTA_DIRECTORY_UNKNOWN] = "directory_unknown",
                                                  [QUOTA_NOT_DELETED] = "not_deleted",
                                                  [QUOTA_CHARGES_OTHERS] = "charges_others",
                                                  NULL};
const struct schema_enum quota_finding_enum = {
    "FindingKind",
    "orphan_project: the kernel has an id of the configured range with usage or limits, and no replica owns "
    "it. without_directory: an item of the ledger whose directory no longer exists. not_tagged: a directory, "
    "or files in it, without their project. used_by_others: an id of the ledger is also used by other "
    "programs or directories. limits_differ: the kernel has other limits than the ledger. not_enforced: the "
    "filesystem does not enforce limits. directory_unknown: a replica's directory without an item in the "
    "ledger. not_deleted: a removed directory is not deleted yet. charges_others: files in a replica's "
    "directory carry another project, which is charged for them.",
    quota_finding_names};

#define T struct quota_ensure_in
STRUCT(quota_ensure_in_schema, NULL, T, NULL,
       S_STRING(T, container, "i8k_INSTANCE_ID; its directory must exist."),
       S_INT_OPT(T, soft, "Bytes; absent is no limit."), S_INT_OPT(T, hard, "Bytes; absent is no limit."),
       S_INT_OPT(T, inodes_soft, "Absent is no limit."),
       S_INT_OPT(T, inodes,
                 "The hard limit. If both are absent, it is derived from the bytes, and from bytes_per_inode "
                 "and inodes_min in section [quota-keeper] of hostlet.conf."));
#undef T
#define T struct quota_finding
STRUCT(quota_finding_schema, "Finding", T, "A difference between ledger, kernel and directories.",
       S_ENUM(T, kind, &quota_finding_enum, NULL), S_INT_OPT(T, project, NULL),
       S_STRING_OPT(T, container, NULL), S_STRING_OPT(T, path, NULL), S_STRING_OPT(T, mount_point, NULL),
       S_STRING_OPT(T, charged,
                    "Of charges_others: the container whose project the files of 'container' carry; absent: "
                    "no replica's."),
       S_INT_OPT(T, used, "Bytes, from the kernel; of charges_others: the sum over these files."),
       S_INT_OPT(T, used_inodes, NULL), S_INT_OPT(T, hard, "Bytes, from the kernel."),
       S_STRING(T, message, "One sentence with the remedy."));
#undef T
#define T struct quota_values
STRUCT_EXPORTED(quota_values_schema, "QuotaValues", T, "Limits and usage of one replica.",
                S_STRING(T, container, NULL), S_INT_OPT(T, project, "The project id."),
                S_INT_OPT(T, soft, "Bytes, read back from the kernel; absent is no limit."),
                S_INT_OPT(T, hard, "Bytes, read back from the kernel; absent is no limit."),
                S_INT_OPT(T, inodes_soft, "Read back from the kernel."),
                S_INT_OPT(T, inodes, "The hard limit, read back from the kernel."),
                S_INT_OPT(T, used, "Bytes."), S_INT_OPT(T, used_inodes, NULL),
                S_BOOL_OPT(T, released, "The limits are lifted; the data is kept."),
                S_ENUM_OPT(T, level, &quota_level_enum, "Absent is below."),
                S_STRING_OPT(T, directory, "Absent: it does not exist."), S_STRING_OPT(T, mount_point, NULL),
                S_STRING_OPT(T, filesystem, NULL),
                S_STRING_OPT(T, not_enforced, "Why the kernel does not enforce the limits; absent: it does."),
                S_INT_OPT(T, skipped, "Of Ensure and Recheck: files that could not get the project."),
                S_STRUCTS(T, put_back, struct quota_finding, &quota_finding_schema,
                          "Of Recheck: files that carried another project and were put back, one finding for "
                          "each project that was charged."));
#undef T
#define T struct quota_list_out
STRUCT(quota_list_out_schema, NULL, T, NULL,
       S_STRUCT_OPT(T, quota, struct quota_values, &quota_values_schema,
                    "Absent in the reply that ends the list."));
#undef T
#define T struct quota_container_in
STRUCT(quota_container_in_schema, NULL, T, NULL, S_STRING(T, container, NULL));
#undef T
#define T struct quota_recheck_out
STRUCT(quota_recheck_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, container,
                    "The container or entry that was rechecked; absent in the reply that ends the list."),
       S_STRUCT_OPT(T, quota, struct quota_values, &quota_values_schema, "Absent: the recheck failed."),
       S_STRING_OPT(T, problem, "Why it failed."));
#undef T
#define T struct quota_report_out
STRUCT(quota_report_out_schema, NULL, T, NULL,
       S_STRUCT_OPT(T, finding, struct quota_finding, &quota_finding_schema,
                    "Absent in the reply that ends the list."));
#undef T
#define T struct quota_watch_out
STRUCT(quota_watch_out_schema, NULL, T, NULL,
       S_STRUCT_OPT(T, quota, struct quota_values, &quota_values_schema,
                    "The present values; absent in the reply with complete."),
       S_ENUM_OPT(T, before, &quota_level_enum, "Of a change: the level before; absent is below."),
       S_BOOL_OPT(T, complete, "The snapshot is complete; changes follow."),
       S_BOOL_OPT(
           T, not_deleted,
           "With complete: a removed directory is not deleted yet; the provisioner's Deletions lists it."));
#undef T
#define T struct quota_mount
STRUCT(quota_mount_schema, "Mount", T, "One mount point with directories of replicas.",
       S_STRING(T, mount_point, NULL), S_STRING_OPT(T, source, NULL), S_STRING(T, filesystem, NULL),
       S_BOOL(T, accounted, "Usage is counted per project."), S_BOOL(T, enforced, "Limits are enforced."),
       S_STRING_OPT(T, reason, "Why limits are not enforced."), S_STRING_OPT(T, remedy, "The remedy."),
       S_INT_OPT(T, projects, "Items of the ledger."));
#undef T
#define T struct quota_info_out
STRUCT(quota_info_out_schema, NULL, T, NULL, S_STRING_OPT(T, mount_point, "Of the app path."),
       S_STRING_OPT(T, filesystem, NULL), S_BOOL_OPT(T, enforced, NULL),
       S_STRING_OPT(T, reason, "Why limits are not enforced."), S_STRING_OPT(T, remedy, "The remedy."),
       S_INT_OPT(T, id_min, "The first project id of the configured range."),
       S_INT_OPT(T, id_max, "The last project id of the configured range."),
       S_INT_OPT(T, projects, "Items of the ledger."),
       S_INT_OPT(T, threshold, "Percent of a limit from which the level is threshold."),
       S_STRING_OPT(T, ledger, "The ledger's path."),
       S_STRUCTS(T, mounts, struct quota_mount, &quota_mount_schema,
                 "All mount points with directories of replicas, the app path's first."));
#undef T
static const struct varlink_method methods[] = {
    {"Ensure", VARLINK_CHANGES, &quota_ensure_in_schema, &quota_values_schema,
     "Gives the directory of a replica, and everything in it, a project with these limits, and returns "
     "values that were read back from the kernel. If project and limits are already correct, nothing is "
     "changed. NotFound: there is no directory yet. NotSupported: the filesystem has no project quotas; the "
     "message states the remedy."},
    {"Release", VARLINK_CHANGES, &quota_container_in_schema, NULL,
     "Lifts the limits. The project id stays with the data. Succeeds also if there is no project."},
    {"Remove", VARLINK_CHANGES, &quota_container_in_schema, NULL,
     "Lifts the limits, removes the project from the directory and kept data, and frees the id. Succeeds "
     "also if there is no project."},
    {"Recheck", VARLINK_CHANGES, &quota_container_in_schema, &quota_values_schema,
     "Visits every file of a replica, including its kept data, and gives the project of its directory to "
     "those that do not carry it: the kernel lets the owner of a file change its project, and so charge "
     "another one. NotFound: there is neither a project nor a directory."},
    {"RecheckAll", VARLINK_CHANGES | VARLINK_MORE, NULL, &quota_recheck_out_schema,
     "Does the same for everything in the app path, one reply for each replica. Ids that only such files "
     "carried are free afterwards."},
    {"Get", 0, &quota_container_in_schema, &quota_values_schema,
     "Returns limits and usage of one replica, from the kernel. NotFound: it has no project."},
    {"List", VARLINK_MORE, NULL, &quota_list_out_schema,
     "Lists limits and usage of all replicas, from the kernel, one per reply."},
    {"Report", VARLINK_MORE, NULL, &quota_report_out_schema,
     "Compares ledger, kernel and directories, visits every file of the replicas, and returns the "
     "differences, one finding per reply. Changes nothing."},
    {"Watch", VARLINK_MORE, NULL, &quota_watch_out_schema,
     "Sends limits and usage of all replicas, as List does, then a reply with complete, then every change of "
     "a replica's level, and of whether its limits are enforced, when it is noticed: by the other calls, and "
     "every check_interval."},
    {"Info", 0, NULL, &quota_info_out_schema,
     "Returns what the filesystems of the replicas' directories enforce, and the remedy if they do not."},
    {.name = NULL},
};
const struct varlink_interface quota_keeper_interface = {"io.hostlet.QuotaKeeper",
                                                         "Project quotas in the kernel.", methods, NULL};
