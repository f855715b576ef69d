/* Declares io.hostlet.Provisioner; see provisioner.h. */
#include "lib/api/provisioner.h"

#include "lib/api/declare.h"

#define T struct provisioner_provision_in
STRUCT(
    provision_in_schema, NULL, T, NULL, S_STRING(T, container, "i8k_INSTANCE_ID."),
    S_STRUCT_OPT(T, replica, struct app_replica_instance, &app_replica_instance_schema,
                 "The content of app_replica.json; absent: the container has no agent, and its directory "
                 "has volumes alone."),
    S_STRING_OPT(T, arch, "The runtime's architecture, to choose inagent; absent: this machine's."),
    S_STRINGS(T, volumes,
              "Paths in the container whose content is data of the replica. A volume that has no directory "
              "gets an empty one."));
#undef T
#define T struct provisioner_provision_out
STRUCT(provision_out_schema, NULL, T, NULL, S_STRING(T, path, "The replica's directory."),
       S_BOOL_OPT(T, restored, "Kept data of an earlier replica of this name became the directory."));
#undef T
#define T struct provisioner_update_in
STRUCT(update_in_schema, NULL, T, NULL, S_STRING(T, container, NULL),
       S_STRUCT(T, replica, struct app_replica_instance, &app_replica_instance_schema, NULL));
#undef T
#define T struct provisioner_request_task_in
STRUCT(request_task_in_schema, NULL, T, NULL, S_STRING(T, container, NULL), S_STRING(T, task, NULL),
       S_STRING(T, id, "Of the request: 1 to 64 letters, digits and '-'. inagent reports it."));
#undef T
#define T struct provisioner_copy_in
STRUCT(
    copy_in_schema, NULL, T, NULL, S_STRING(T, container, NULL),
    S_STRINGS(T, volumes, "Paths in the container."),
    S_BOOL_OPT(T, complete,
               "Of EndCopy: the copies become the volumes; absent: they are removed. BeginCopy ignores it."));
#undef T
#define T struct provisioner_remove_in
STRUCT(remove_in_schema, NULL, T, NULL, S_STRING(T, container, NULL),
       S_BOOL_OPT(T, purge,
                  "Deletes the data, and the kept data of earlier removals, instead of keeping it."));
#undef T
#define T struct provisioner_remove_out
STRUCT(remove_out_schema, NULL, T, NULL, S_STRING_OPT(T, kept, "The path of the kept data."),
       S_STRINGS(T, others,
                 "After a purge: containers of the same instance that have kept data and no directory."));
#undef T
#define T struct provisioner_list_out
STRUCT(provisioner_list_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, container, "Absent in the reply that ends the list."), S_STRING_OPT(T, path, NULL),
       S_BOOL_OPT(T, removed, "The directory is kept data of a removed replica."),
       S_INT_OPT(T, removed_at, "Unix seconds."));
#undef T
#define T struct provisioner_deletions_out
STRUCT(provisioner_deletions_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, path, "Absent in the reply that ends the list."),
       S_STRING_OPT(T, container,
                    "The container that it belonged to; absent: its name does not contain one."),
       S_BOOL_OPT(T, running, "A thread deletes it, or it waits for a thread."),
       S_INT_OPT(T, attempts, "Failed attempts in a row."),
       S_INT_OPT(T, next_retry, "Unix milliseconds; absent: now."),
       S_STRING_OPT(T, message, "Why the last attempt failed."));
#undef T
#define T struct provisioner_publish_out
STRUCT(publish_out_schema, NULL, T, NULL, S_STRING(T, path, "The install directory."));
#undef T
static const struct varlink_method methods[] = {
    {"Provision", VARLINK_CHANGES, &provision_in_schema, &provision_out_schema,
     "Makes and fills the directory of a replica; kept data of the container becomes the directory."},
    {"Update", VARLINK_CHANGES, &update_in_schema, NULL, "Rewrites app_replica.json of a replica."},
    {"RequestTask", VARLINK_CHANGES, &request_task_in_schema, NULL,
     "Writes task_request.json of a replica, in place of an earlier request: its inagent runs the task now. "
     "NotFound: the replica has no directory."},
    {"BeginCopy", VARLINK_CHANGES, &copy_in_schema, NULL,
     "Makes an empty directory beside each of these volumes, into which container-driver copies what an "
     "earlier "
     "container has there, and removes what an interrupted copy left. NotFound: the replica has no "
     "directory."},
    {"EndCopy", VARLINK_CHANGES, &copy_in_schema, NULL,
     "Ends the copies: complete ones become the volumes, in place of what these contained; others are "
     "removed."},
    {"Remove", VARLINK_CHANGES, &remove_in_schema, &remove_out_schema,
     "Removes the directory of a replica. Without purge the data is kept as NAME.removed-DATE. The reply to "
     "a purge arrives when everything is deleted."},
    {"List", VARLINK_MORE, NULL, &provisioner_list_out_schema, "Lists the directories, one per reply."},
    {"Deletions", VARLINK_MORE, NULL, &provisioner_deletions_out_schema,
     "Lists hidden directories that are not deleted yet, one per reply. Each deletion is retried until it "
     "succeeds."},
    {"Publish", VARLINK_CHANGES, &package_name_in_schema, &publish_out_schema,
     "Makes everything that the unpacker staged root's, and gives it its final name as an install directory, "
     "which exists only when it is complete. Succeeds at once if the package is published already."},
    {"Unpublish", VARLINK_CHANGES, &package_name_in_schema, NULL,
     "Removes an install directory, and what is staged of the package; succeeds also if there is none. The "
     "content is deleted afterwards."},
    {.name = NULL},
};
const struct varlink_interface provisioner_interface = {
    "io.hostlet.Provisioner",
    "Makes, fills and removes the directories of replicas, and publishes and removes unpacked packages.",
    methods, NULL};
