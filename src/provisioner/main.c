/* provisioner: makes the directories of replicas and publishes unpacked packages.
 *
 * Job: makes, fills, updates and removes {app_path}/{container}, which contains what a container finds under
 * /home and /opt; keeps, restores or deletes the data of removed replicas. Publishes what the unpacker staged
 * as VAR/ipk_install/{name}/{id}, owned by root, and removes it.
 * Privileges: root with CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER; no network. The reconciler calls it with
 * names of containers; the provisioner builds every path itself.
 * Failures: the content of tenants' directories is hostile (tenant.h), and so is what the unpacker's user
 * staged (take.h). The process can be killed at any time: a repeated request continues, a directory has
 * its final name only when it is complete, and the next start completes deletions. A full disk fails the
 * request, and the old app_replica.json stays. */
#include "lib/api/provisioner.h"
#include "lib/service/service.h"
#include "provisioner/manager.h"
#include "provisioner/methods.h"

static const char *const failpoints[] = {
    "provision.opened",    /* the container's directory, or the one that will become it, exists */
    "directories.made",    /* opt, home, action and .innerstack exist */
    "files.staged",        /* all files are written under temporary names */
    "files.published",     /* one more file has its final name */
    "volumes.made",        /* the directories of all volumes exist */
    "copy.begun",          /* an empty directory for each copy of a volume exists */
    "copy.replaced",       /* one more volume is about to be replaced by its copy */
    "copy.named",          /* one more copy is a volume */
    "provision.filled",    /* every directory and file is in place */
    "provision.published", /* the directory has the container's name */
    "remove.kept",         /* the directory has its name as kept data */
    "remove.hidden",       /* one more directory is hidden */
    "remove.deleting",     /* a thread starts to delete what is hidden */
    "remove.deleted",      /* one more hidden directory is deleted */
    "publish.moved",       /* the unpacked tree is where only root can reach it */
    "publish.directory",   /* one more directory of the tree belongs to root */
    "publish.taken",       /* the whole tree belongs to root */
    "publish.synced",      /* the tree is synced to the disk */
    "publish.named",       /* the tree has its final name */
    "unpublish.hidden",    /* a package's directory no longer has its name */
    "unpublish.deleted",   /* one more hidden tree of a package is deleted */
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
