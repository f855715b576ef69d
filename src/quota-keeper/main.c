/* quota-keeper: enforces project quotas on the replicas' directories.
 *
 * Job: gives each replica's directory a project with its limits in the kernel, keeps the ledger of project
 * ids, and reports usage, what is enforced, and what differs from the desired state. A limit that it reports
 * as enforced was read back from the kernel.
 * Privileges: root with CAP_SYS_ADMIN, CAP_FOWNER and CAP_DAC_READ_SEARCH; no network; only the system calls
 * that it makes. The reconciler calls it with names of containers; quota-keeper builds every path itself.
 * Failures: the content of tenants' directories is hostile (tag.h). The process can be killed at any time:
 * a repeated request continues, and the next start makes ledger, kernel and directories agree
 * (recovery.h). A ledger that is damaged or lost is rebuilt from the other two. Where the filesystem has
 * no project quotas, the error is NotSupported, with the remedy. */
#include "lib/api/quota_keeper.h"
#include "lib/service/service.h"
#include "quota-keeper/manager.h"
#include "quota-keeper/methods.h"

static const char *const failpoints[] = {
    "registry.allocated", /* an id is chosen or released in memory; nothing is written */
    "projects.staged",    /* the new text of /etc/projects or /etc/projid is in a file beside it */
    "projects.exchanged", /* the new text has the file's name; the old one is not compared yet */
    "projects.merged",    /* the file is correct; the staged files still exist */
    "ledger.before_save", /* the files in /etc contain the change, the ledger does not */
    "ledger.saved",       /* the ledger contains the change, the kernel does not */
    "limits.set",         /* the kernel has new limits */
    "tag.entry",          /* one more file carries its project */
    "tag.contents",       /* everything but the top directory carries the project */
    "tag.done",           /* everything carries the project */
    "remove.lifted",      /* the limits are lifted, the files still carry the project */
    "remove.untagged",    /* no file carries the project, the ledger still has the item */
    NULL,
};

/* The system calls beyond those of every service, which are the list 'everyone' in lib/service/filter.c.
 * Neither list contains exec and connect. */
static const char *const calls[] = {"quotactl",  "quotactl_fd", "ioctl",      "getdents64", "flock",
                                    "fsync",     "fchmod",      "fchown",     "rename",     "renameat",
                                    "renameat2", "unlink",      "unlinkat",   "mkdir",      "lstat",
                                    "stat",      "setpriority", "ioprio_set", NULL};

static const struct service_definition service = {
    .name = "quota-keeper",
    .interface = &quota_keeper_interface,
    .handlers = quota_handlers,
    .failpoints = failpoints,
    .filter = SERVICE_FILTER(calls),
    .start = manager_start,
    .busy = manager_busy,
    .stop = manager_stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
