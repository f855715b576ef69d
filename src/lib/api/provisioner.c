/* Declares io.hostlet.Provisioner; see provisioner.h. */
#include "lib/api/provisioner.h"

#include "lib/api/declare.h"

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
static const struct varlink_method methods[] = {
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
    methods, NULL};
