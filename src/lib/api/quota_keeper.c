/* Declares io.hostlet.QuotaKeeper; see quota_keeper.h. */
#include "lib/api/quota_keeper.h"

#include "lib/api/declare.h"

static const char *const quota_level_names[] = {
    [QUOTA_BELOW] = "below", [QUOTA_THRESHOLD] = "threshold", [QUOTA_SOFT] = "soft",
    [QUOTA_FULL] = "full",   [QUOTA_OVER] = "over",           NULL};
const struct schema_enum quota_level_enum = {
    "Level",
    "How much of its limits a replica uses, in bytes or inodes, whichever is the worse. threshold: the "
    "configured "
    "part of the hard limit; soft: beyond the soft limit; full: nothing is left; over: the limit was lowered "
    "below what is used.",
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
    "orphan_project: the kernel knows an id of our range with use or limits, and nobody owns it. "
    "without_directory: "
    "an entry of the ledger whose directory is gone. not_tagged: a directory, or files in it, without their "
    "project. used_by_others: one of our ids is used by what is not ours. limits_differ: the kernel has "
    "other "
    "limits than the ledger. not_enforced: the filesystem enforces nothing. directory_unknown: a replica's "
    "directory without an entry in the ledger. not_deleted: what was removed, and is not gone yet. "
    "charges_others: files in a replica's directory carry the project of somebody else, who is charged for "
    "them.",
    quota_finding_names};

#define T struct quota_ensure_in
STRUCT(quota_ensure_in_schema, NULL, T, NULL,
       S_STRING(T, container, "i8k_INSTANCE_ID; its directory must be there."),
       S_INT_OPT(T, soft, "Bytes; absent is no limit."), S_INT_OPT(T, hard, "Bytes; absent is no limit."),
       S_INT_OPT(T, inodes_soft, "Absent is no limit."),
       S_INT_OPT(T, inodes,
                 "The hard limit. Where both are absent it follows from the bytes, bytes_per_inode and "
                 "inodes_min in section [quota-keeper] of hostlet.conf."));
#undef T
#define T struct quota_finding
STRUCT(quota_finding_schema, "Finding", T, "Something that is not as it should be.",
       S_ENUM(T, kind, &quota_finding_enum, NULL), S_INT_OPT(T, project, NULL),
       S_STRING_OPT(T, container, NULL), S_STRING_OPT(T, path, NULL), S_STRING_OPT(T, mount_point, NULL),
       S_STRING_OPT(T, charged,
                    "Of charges_others: the container whose project the files of 'container' carry; "
                    "absent: no replica's."),
       S_INT_OPT(T, used, "Bytes, of the kernel; of charges_others: of these files."),
       S_INT_OPT(T, used_inodes, NULL), S_INT_OPT(T, hard, "Bytes, of the kernel."),
       S_STRING(T, message, "One sentence for a human: what it is, and what mends it."));
#undef T
#define T struct quota_values
STRUCT_EXPORTED(
    quota_values_schema, "QuotaValues", T, "Limits and use of one replica.", S_STRING(T, container, NULL),
    S_INT_OPT(T, project, "The project id."),
    S_INT_OPT(T, soft, "Bytes, read back from the kernel; absent is no limit."),
    S_INT_OPT(T, hard, "Bytes, read back from the kernel; absent is no limit."),
    S_INT_OPT(T, inodes_soft, "Read back from the kernel."),
    S_INT_OPT(T, inodes, "The hard limit, read back from the kernel."), S_INT_OPT(T, used, "Bytes."),
    S_INT_OPT(T, used_inodes, NULL), S_BOOL_OPT(T, released, "The limits are lifted; the data is kept."),
    S_ENUM_OPT(T, level, &quota_level_enum, "Absent is below."),
    S_STRING_OPT(T, directory, "Absent: it is gone."), S_STRING_OPT(T, mount_point, NULL),
    S_STRING_OPT(T, filesystem, NULL),
    S_STRING_OPT(T, not_enforced, "Why the kernel does not hold it to the limits; absent: it does."),
    S_INT_OPT(T, skipped, "Of Ensure and Recheck: files that could not be given the project."),
    S_STRUCTS(T, put_back, struct quota_finding, &quota_finding_schema,
              "Of Recheck: files that carried another project and were put back, by who was charged."));
#undef T
#define T struct quota_list_out
STRUCT(quota_list_out_schema, NULL, T, NULL,
       S_STRUCT_OPT(T, quota, struct quota_values, &quota_values_schema,
                    "Absent in the answer that ends the list."));
#undef T
#define T struct quota_container_in
STRUCT(quota_container_in_schema, NULL, T, NULL, S_STRING(T, container, NULL));
#undef T
#define T struct quota_recheck_out
STRUCT(quota_recheck_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, container, "What was looked at; absent in the answer that ends the list."),
       S_STRUCT_OPT(T, quota, struct quota_values, &quota_values_schema, "Absent: it could not be."),
       S_STRING_OPT(T, problem, "Why not."));
#undef T
#define T struct quota_report_out
STRUCT(quota_report_out_schema, NULL, T, NULL,
       S_STRUCT_OPT(T, finding, struct quota_finding, &quota_finding_schema,
                    "Absent in the answer that ends the list."));
#undef T
#define T struct quota_watch_out
STRUCT(quota_watch_out_schema, NULL, T, NULL,
       S_STRUCT_OPT(T, quota, struct quota_values, &quota_values_schema,
                    "As it is now; absent in the answer with complete."),
       S_ENUM_OPT(T, before, &quota_level_enum, "Of a change: the level before; absent is below."),
       S_BOOL_OPT(T, complete, "All that is there was told; changes follow."),
       S_BOOL_OPT(T, not_deleted,
                  "With complete: something that was removed is not gone yet, and the provisioner is to be "
                  "asked for it."));
#undef T
#define T struct quota_mount
STRUCT(quota_mount_schema, "Mount", T, "One mount point with directories of replicas.",
       S_STRING(T, mount_point, NULL), S_STRING_OPT(T, source, NULL), S_STRING(T, filesystem, NULL),
       S_BOOL(T, accounted, "Use is counted per project."), S_BOOL(T, enforced, "Limits are enforced."),
       S_STRING_OPT(T, reason, "Why they are not."), S_STRING_OPT(T, remedy, "What would help."),
       S_INT_OPT(T, projects, "Entries of the ledger."));
#undef T
#define T struct quota_info_out
STRUCT(quota_info_out_schema, NULL, T, NULL, S_STRING_OPT(T, mount_point, "Of the app path."),
       S_STRING_OPT(T, filesystem, NULL), S_BOOL_OPT(T, enforced, NULL),
       S_STRING_OPT(T, reason, "Why limits are not enforced."), S_STRING_OPT(T, remedy, "What would help."),
       S_INT_OPT(T, id_min, "The first project id of the configured range."),
       S_INT_OPT(T, id_max, "The last."), S_INT_OPT(T, projects, "Entries of the ledger."),
       S_INT_OPT(T, threshold, "Percent of a limit from which use is worth a word."),
       S_STRING_OPT(T, ledger, "Its path."),
       S_STRUCTS(T, mounts, struct quota_mount, &quota_mount_schema,
                 "All mount points with directories of replicas, the app path's first."));
#undef T
static const struct varlink_method methods[] = {
    {"Ensure", VARLINK_CHANGES, &quota_ensure_in_schema, &quota_values_schema,
     "Gives the directory of a replica, and all that is in it, a project with these limits; the answer was "
     "read "
     "back from the kernel. Where it has them already, nothing is changed. NotFound: there is no directory "
     "yet. "
     "NotSupported: the filesystem cannot; the reason says what would help."},
    {"Release", VARLINK_CHANGES, &quota_container_in_schema, NULL,
     "Lifts the limits. The project id stays with the data, which may be kept. Fine if there is none."},
    {"Remove", VARLINK_CHANGES, &quota_container_in_schema, NULL,
     "Lifts the limits, takes the project from what is left of the directory, and gives the id back. Fine if "
     "there "
     "is none."},
    {"Recheck", VARLINK_CHANGES, &quota_container_in_schema, &quota_values_schema,
     "Looks at every file of a replica, its kept data included, and gives the project of its directory to "
     "those that do not carry it: the kernel lets the owner of a file "
     "take it out, and charge another's. NotFound: there is neither a project nor a directory."},
    {"RecheckAll", VARLINK_CHANGES | VARLINK_MORE, NULL, &quota_recheck_out_schema,
     "The same for everything in the app path, one answer for each replica. Ids that only such files held "
     "are free afterwards."},
    {"Get", 0, &quota_container_in_schema, &quota_values_schema,
     "Limits and use of one replica, from the kernel. NotFound: it has no project."},
    {"List", VARLINK_MORE, NULL, &quota_list_out_schema,
     "Limits and use of all replicas, from the kernel, one per answer."},
    {"Report", VARLINK_MORE, NULL, &quota_report_out_schema,
     "What is not as it should be, one finding per answer: ledger, kernel and directories are compared, "
     "every file "
     "of the replicas is looked at. Changes nothing."},
    {"Watch", VARLINK_MORE, NULL, &quota_watch_out_schema,
     "Limits and use of all replicas, as List has them, then an answer with complete, then every change of a "
     "replica's level, and of whether its limits are enforced, as it is noticed: by the other calls, and "
     "every "
     "check_interval."},
    {"Info", 0, NULL, &quota_info_out_schema,
     "What the filesystems of the replicas' directories enforce, and what would make them."},
    {.name = NULL},
};
const struct varlink_interface quota_keeper_interface = {"io.hostlet.QuotaKeeper",
                                                         "Project quotas in the kernel.", methods, NULL};
