/* Declarations of the workers' interfaces; see workers.h. */
#include "lib/api/workers.h"

#define STRUCT(var, type_name, ctype, text, ...)                                                             \
    static const struct schema_field var##_fields[] = {__VA_ARGS__, S_END};                                  \
    static const struct schema_struct var = {type_name, sizeof(ctype), text, var##_fields}

#define T struct package_reference
static const struct schema_field package_reference_fields[] = {
    S_STRING(T, id, "NAME_VERSION_OS_ARCH."),
    S_STRING(T, name, NULL),
    S_STRING(T, version, NULL),
    S_STRING(T, os, NULL),
    S_STRING(T, arch, NULL),
    S_STRING_OPT(T, sha256, "Of the whole file, in hex, where the repository says it."),
    S_STRING_OPT(T, checksum, "Of the compressed data block: sha256:HEX."),
    S_INT_OPT(T, size, "Of the whole file, in bytes."),
    S_STRING_OPT(T, repository, "Where it was found."),
    S_STRING_OPT(T, file, "Its name there; absent: it is looked up."),
    S_END,
};
const struct schema_struct package_reference_schema = {
    "PackageReference", sizeof(T), "A package as it was resolved: enough to get the same bits again.",
    package_reference_fields};
#undef T

/* --- fetcher --- */
#define T struct fetcher_resolve_in
STRUCT(fetcher_resolve_in_schema, NULL, T, NULL, S_STRING(T, name, NULL),
       S_STRING_OPT(T, version, "One or two parts match as a prefix, three exactly; absent is the newest."),
       S_STRING_OPT(T, os, "Absent is linux; without arch, all as well."),
       S_STRING_OPT(T, arch, "Absent is this machine's; without os, src as well."));
#undef T
#define T struct fetcher_resolve_out
STRUCT(fetcher_resolve_out_schema, NULL, T, NULL,
       S_STRUCT(T, package, struct package_reference, &package_reference_schema, NULL));
#undef T
#define T struct fetcher_fetch_in
STRUCT(fetcher_fetch_in_schema, NULL, T, NULL,
       S_STRUCT(T, package, struct package_reference, &package_reference_schema, "As Resolve gave it."));
#undef T
#define T struct fetcher_fetch_out
STRUCT(fetcher_fetch_out_schema, NULL, T, NULL, S_INT(T, done, "Bytes."), S_INT(T, total, "Bytes."),
       S_STRING_OPT(T, message, "What is happening, for a human."),
       S_STRING_OPT(T, path, "Of the complete and verified package: the final answer."));
#undef T
#define T struct fetcher_list_out
STRUCT(fetcher_list_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, id, "Absent in the answer that ends the list."), S_STRING_OPT(T, name, NULL),
       S_STRING_OPT(T, path, NULL), S_INT_OPT(T, size, "Bytes."),
       S_BOOL_OPT(T, complete, "Absent for a download that is not complete."));
#undef T
#define T struct package_name_in
STRUCT(package_name_in_schema, NULL, T, NULL, S_STRING(T, name, "The package's name."),
       S_STRING(T, id, NULL));
#undef T
static const struct varlink_method fetcher_methods[] = {
    {"Resolve", 0, &fetcher_resolve_in_schema, &fetcher_resolve_out_schema,
     "Finds the best package for a name and version rule in the repositories, in their order."},
    {"Fetch", VARLINK_MORE | VARLINK_CHANGES, &fetcher_fetch_in_schema, &fetcher_fetch_out_schema,
     "Brings a package into the store, resuming and verifying. What is there already is answered at once. "
     "Streams progress."},
    {"List", VARLINK_MORE, NULL, &fetcher_list_out_schema, "The packages of the store, one per answer."},
    {"Remove", VARLINK_CHANGES, &package_name_in_schema, NULL,
     "Removes a package from the store; fine if it is not there."},
    {.name = NULL},
};
const struct varlink_interface fetcher_interface = {
    "io.hostlet.Fetcher", "Brings packages from repositories into the package store.", fetcher_methods, NULL};

/* --- unpacker --- */
#define T struct unpacker_unpack_in
STRUCT(
    unpacker_unpack_in_schema, NULL, T, NULL, S_STRING(T, name, "The package's name."), S_STRING(T, id, NULL),
    S_STRING_OPT(T, checksum,
                 "Of the data block, \"sha256:…\": a file with another one is refused. Absent: the one that "
                 "the file's own header names."));
#undef T
#define T struct unpacker_unpack_out
STRUCT(unpacker_unpack_out_schema, NULL, T, NULL, S_INT(T, done, "Bytes of the package that were read."),
       S_INT(T, total, "Bytes of the package."), S_INT_OPT(T, entries, "Unpacked so far."),
       S_INT_OPT(T, size, "Bytes unpacked so far."),
       S_STRING_OPT(T, path, "Of the complete content, staged or published: the final answer."));
#undef T
#define T struct unpacker_list_out
STRUCT(unpacker_list_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, id, "Absent in the answer that ends the list."), S_STRING_OPT(T, name, NULL),
       S_STRING_OPT(T, path, NULL));
#undef T
static const struct varlink_method unpacker_methods[] = {
    {"Unpack", VARLINK_MORE | VARLINK_CHANGES, &unpacker_unpack_in_schema, &unpacker_unpack_out_schema,
     "Unpacks a package of the store into staging, where it waits for io.hostlet.Provisioner.Publish; what "
     "is "
     "published already is success. Streams progress."},
    {"List", VARLINK_MORE, NULL, &unpacker_list_out_schema,
     "The install directories of published packages, one per answer."},
    {"Remove", VARLINK_CHANGES, &package_name_in_schema, NULL,
     "Removes a package from staging; fine if it is not there. (io.hostlet.Provisioner.Unpublish removes a "
     "published one.)"},
    {.name = NULL},
};
const struct varlink_interface unpacker_interface = {"io.hostlet.Unpacker", "Unpacks verified packages.",
                                                     unpacker_methods, NULL};

/* --- provisioner --- */
#define T struct provisioner_provision_in
STRUCT(provision_in_schema, NULL, T, NULL, S_STRING(T, container, "i8k_INSTANCE_ID."),
       S_STRUCT(T, replica, struct app_replica_instance, &app_replica_instance_schema,
                "What app_replica.json shall hold."),
       S_STRING_OPT(T, arch, "Of the runtime, for inagent; absent is this machine's."));
#undef T
#define T struct provisioner_provision_out
STRUCT(provision_out_schema, NULL, T, NULL, S_STRING(T, path, "The replica's directory."),
       S_BOOL_OPT(T, restored, "Kept data of an earlier replica of this name was taken back."));
#undef T
#define T struct provisioner_update_in
STRUCT(update_in_schema, NULL, T, NULL, S_STRING(T, container, NULL),
       S_STRUCT(T, replica, struct app_replica_instance, &app_replica_instance_schema, NULL));
#undef T
#define T struct provisioner_remove_in
STRUCT(remove_in_schema, NULL, T, NULL, S_STRING(T, container, NULL),
       S_BOOL_OPT(T, purge, "Delete the data, that of earlier removals included, instead of keeping it."));
#undef T
#define T struct provisioner_remove_out
STRUCT(remove_out_schema, NULL, T, NULL, S_STRING_OPT(T, kept, "Where the data is kept."),
       S_STRINGS(T, others,
                 "Of a purge: containers of the same instance of which nothing but kept data is there."));
#undef T
#define T struct provisioner_list_out
STRUCT(provisioner_list_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, container, "Absent in the answer that ends the list."), S_STRING_OPT(T, path, NULL),
       S_BOOL_OPT(T, removed, "Kept data of a replica that was removed."),
       S_INT_OPT(T, removed_at, "Unix seconds."));
#undef T
#define T struct provisioner_deletions_out
STRUCT(provisioner_deletions_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, path, "Absent in the answer that ends the list."),
       S_STRING_OPT(T, container, "Whose it was; absent where its name does not say."),
       S_BOOL_OPT(T, running, "It is being deleted just now."),
       S_INT_OPT(T, attempts, "That failed in a row."), S_INT_OPT(T, next_retry, "Unix milliseconds."),
       S_STRING_OPT(T, message, "Why the last attempt failed."));
#undef T
#define T struct provisioner_publish_out
STRUCT(publish_out_schema, NULL, T, NULL, S_STRING(T, path, "The install directory."));
#undef T
static const struct varlink_method provisioner_methods[] = {
    {"Provision", VARLINK_CHANGES, &provision_in_schema, &provision_out_schema,
     "Makes and fills the directory of a replica, taking kept data back."},
    {"Update", VARLINK_CHANGES, &update_in_schema, NULL, "Rewrites app_replica.json of a replica."},
    {"Remove", VARLINK_CHANGES, &remove_in_schema, &remove_out_schema,
     "Removes the directory of a replica, keeping its data as NAME.removed-DATE unless purged. A purge is "
     "answered "
     "when nothing is left."},
    {"List", VARLINK_MORE, NULL, &provisioner_list_out_schema, "The directories, one per answer."},
    {"Deletions", VARLINK_MORE, NULL, &provisioner_deletions_out_schema,
     "What was removed and is not gone yet, one per answer: it is tried again until nothing is left."},
    {"Publish", VARLINK_CHANGES, &package_name_in_schema, &publish_out_schema,
     "Makes what the unpacker staged root's, all of it, and gives it its name as an install directory, which "
     "exists only when it is complete. What is published already is success."},
    {"Unpublish", VARLINK_CHANGES, &package_name_in_schema, NULL,
     "Removes an install directory, and what is staged of the package; fine if there is none. Its content "
     "goes "
     "afterwards."},
    {.name = NULL},
};
const struct varlink_interface provisioner_interface = {
    "io.hostlet.Provisioner",
    "Makes, fills and removes the directories of replicas, and publishes and removes unpacked packages.",
    provisioner_methods, NULL};

/* --- quota-keeper --- */
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
static const struct schema_field quota_values_fields[] = {
    S_STRING(T, container, NULL),
    S_INT_OPT(T, project, "The project id."),
    S_INT_OPT(T, soft, "Bytes, read back from the kernel; absent is no limit."),
    S_INT_OPT(T, hard, "Bytes, read back from the kernel; absent is no limit."),
    S_INT_OPT(T, inodes_soft, "Read back from the kernel."),
    S_INT_OPT(T, inodes, "The hard limit, read back from the kernel."),
    S_INT_OPT(T, used, "Bytes."),
    S_INT_OPT(T, used_inodes, NULL),
    S_BOOL_OPT(T, released, "The limits are lifted; the data is kept."),
    S_ENUM_OPT(T, level, &quota_level_enum, "Absent is below."),
    S_STRING_OPT(T, directory, "Absent: it is gone."),
    S_STRING_OPT(T, mount_point, NULL),
    S_STRING_OPT(T, filesystem, NULL),
    S_STRING_OPT(T, not_enforced, "Why the kernel does not hold it to the limits; absent: it does."),
    S_INT_OPT(T, skipped, "Of Ensure and Recheck: files that could not be given the project."),
    S_STRUCTS(T, put_back, struct quota_finding, &quota_finding_schema,
              "Of Recheck: files that carried another project and were put back, by who was charged."),
    S_END,
};
const struct schema_struct quota_values_schema = {"QuotaValues", sizeof(T), "Limits and use of one replica.",
                                                  quota_values_fields};
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
                    "As it is now; absent in the first answer, which says that the watch stands."),
       S_ENUM_OPT(T, before, &quota_level_enum, "The level before; absent is below."),
       S_BOOL_OPT(T, not_deleted,
                  "In the first answer: something that was removed is not gone yet, and the provisioner is "
                  "to be asked for it."));
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
static const struct varlink_method quota_methods[] = {
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
     "Streams every change of a replica's level, and of whether its limits are enforced, as it is noticed: "
     "by the "
     "other calls, and every check_interval."},
    {"Info", 0, NULL, &quota_info_out_schema,
     "What the filesystems of the replicas' directories enforce, and what would make them."},
    {.name = NULL},
};
const struct varlink_interface quota_keeper_interface = {
    "io.hostlet.QuotaKeeper", "Project quotas in the kernel.", quota_methods, NULL};
