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
       S_STRING_OPT(T, os, "Absent is linux."), S_STRING_OPT(T, arch, "Absent is this machine's."));
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
#define T struct unpacker_unpack_out
STRUCT(unpacker_unpack_out_schema, NULL, T, NULL, S_INT(T, done, "Bytes of the package that were read."),
       S_INT(T, total, "Bytes of the package."), S_INT_OPT(T, entries, "Unpacked so far."),
       S_INT_OPT(T, size, "Bytes unpacked so far."),
       S_STRING_OPT(T, path, "Of the complete install directory: the final answer."));
#undef T
#define T struct unpacker_list_out
STRUCT(unpacker_list_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, id, "Absent in the answer that ends the list."), S_STRING_OPT(T, name, NULL),
       S_STRING_OPT(T, path, NULL));
#undef T
static const struct varlink_method unpacker_methods[] = {
    {"Unpack", VARLINK_MORE | VARLINK_CHANGES, &package_name_in_schema, &unpacker_unpack_out_schema,
     "Unpacks a package of the store into its install directory, which exists only when it is complete. "
     "Streams progress."},
    {"List", VARLINK_MORE, NULL, &unpacker_list_out_schema, "The install directories, one per answer."},
    {"Remove", VARLINK_CHANGES, &package_name_in_schema, NULL,
     "Removes an install directory; fine if it is not there."},
    {.name = NULL},
};
const struct varlink_interface unpacker_interface = {
    "io.hostlet.Unpacker", "Unpacks verified packages into install directories.", unpacker_methods, NULL};

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
STRUCT(remove_out_schema, NULL, T, NULL, S_STRING_OPT(T, kept, "Where the data is kept."));
#undef T
#define T struct provisioner_list_out
STRUCT(provisioner_list_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, container, "Absent in the answer that ends the list."), S_STRING_OPT(T, path, NULL),
       S_BOOL_OPT(T, removed, "Kept data of a replica that was removed."),
       S_INT_OPT(T, removed_at, "Unix seconds."));
#undef T
static const struct varlink_method provisioner_methods[] = {
    {"Provision", VARLINK_CHANGES, &provision_in_schema, &provision_out_schema,
     "Makes and fills the directory of a replica, taking kept data back."},
    {"Update", VARLINK_CHANGES, &update_in_schema, NULL, "Rewrites app_replica.json of a replica."},
    {"Remove", VARLINK_CHANGES, &remove_in_schema, &remove_out_schema,
     "Removes the directory of a replica, keeping its data as NAME.removed-DATE unless purged."},
    {"List", VARLINK_MORE, NULL, &provisioner_list_out_schema, "The directories, one per answer."},
    {.name = NULL},
};
const struct varlink_interface provisioner_interface = {
    "io.hostlet.Provisioner", "Makes, fills and removes the directories of replicas.", provisioner_methods,
    NULL};

/* --- quota-keeper --- */
#define T struct quota_ensure_in
STRUCT(quota_ensure_in_schema, NULL, T, NULL, S_STRING(T, container, NULL),
       S_INT_OPT(T, soft, "Bytes; absent is no limit."), S_INT_OPT(T, hard, "Bytes; absent is no limit."),
       S_INT_OPT(T, inodes, "Absent is no limit."));
#undef T
#define T struct quota_values
STRUCT(quota_values_schema, NULL, T, NULL, S_STRING(T, container, NULL),
       S_INT_OPT(T, project, "The project id."), S_INT_OPT(T, soft, "Bytes, read back from the kernel."),
       S_INT_OPT(T, hard, "Bytes, read back from the kernel."), S_INT_OPT(T, inodes, NULL),
       S_INT_OPT(T, used, "Bytes."), S_INT_OPT(T, used_inodes, NULL));
#undef T
#define T struct quota_container_in
STRUCT(quota_container_in_schema, NULL, T, NULL, S_STRING(T, container, NULL));
#undef T
#define T struct quota_info_out
STRUCT(quota_info_out_schema, NULL, T, NULL, S_STRING_OPT(T, mount_point, NULL),
       S_STRING_OPT(T, filesystem, NULL), S_BOOL_OPT(T, enforced, NULL),
       S_STRING_OPT(T, reason, "Why limits are not enforced."));
#undef T
static const struct varlink_method quota_methods[] = {
    {"Ensure", VARLINK_CHANGES, &quota_ensure_in_schema, &quota_values_schema,
     "Gives the directory of a replica a project with these limits; the answer was read back from the "
     "kernel."},
    {"Release", VARLINK_CHANGES, &quota_container_in_schema, NULL,
     "Lifts the limits and gives the project id back."},
    {"Get", 0, &quota_container_in_schema, &quota_values_schema,
     "Limits and use of one replica, from the kernel."},
    {"Info", 0, NULL, &quota_info_out_schema, "What the filesystem of the app path can enforce."},
    {.name = NULL},
};
const struct varlink_interface quota_interface = {"io.hostlet.Quota", "Project quotas in the kernel.",
                                                  quota_methods, NULL};
