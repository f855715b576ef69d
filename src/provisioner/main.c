/* provisioner: the directories of replicas, and what they are given of packages.
 *
 * Job: makes, fills, updates and removes {app_path}/{container} with what a container finds under /home and
 *   /opt, and keeps, gives back or deletes the data of removed replicas. Takes what the unpacker staged,
 * makes it root's and publishes it as VAR/ipk_install/{name}/{id}; removes it. Privileges: root with
 * CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER; no network. Called by the reconciler, with names of containers: it
 * builds every path itself. Failures: what tenants put into their directories is hostile (tenant.h), and so
 * is what the unpacker's user staged (take.h). It may be killed at any time: a request is repeated, a
 * directory has its final name only when it is complete, deletions are finished at the next start. A full
 * disk is one error, and the old app_replica.json stays. */
#include "lib/api/provisioner.h"
#include "lib/service/service.h"
#include "provisioner/manager.h"
#include "provisioner/methods.h"

static const char *const failpoints[] = {
    "provision.opened",    /* the container's directory, or what becomes it, is there */
    "directories.made",    /* opt, home, action, .innerstack are there */
    "files.staged",        /* all files are written under temporary names */
    "files.published",     /* one more file has its name */
    "provision.filled",    /* everything is in place */
    "provision.published", /* the directory has the container's name */
    "remove.kept",         /* the directory was renamed to be kept */
    "remove.hidden",       /* one more directory was renamed to be deleted */
    "remove.deleting",     /* a thread begins with what is hidden */
    "remove.deleted",      /* one more directory was deleted */
    "publish.moved",       /* what was unpacked lies where nobody but root can reach it */
    "publish.directory",   /* one more directory of it is root's */
    "publish.taken",       /* all of it is */
    "publish.synced",      /* and is on the disk */
    "publish.named",       /* it has its name */
    "unpublish.hidden",    /* a package has lost its name */
    "unpublish.deleted",   /* one more tree that had lost its name was deleted */
    NULL,
};

static const struct service_definition service = {
    .name = "provisioner",
    .interface = &provisioner_interface,
    .handlers = provisioner_handlers,
    .failpoints = failpoints,
    .start = manager_start,
    .busy = manager_busy,
    .stop = manager_stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
