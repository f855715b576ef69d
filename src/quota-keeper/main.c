/* quota-keeper: project quotas of the replicas' directories.
 *
 * Job: gives each replica's directory a project in the kernel with its limits, keeps the ledger of project
 * ids, and says what is used, what is enforced, and what is not as it should be. What it says is enforced was
 * read back. Privileges: root with CAP_SYS_ADMIN, CAP_FOWNER, CAP_DAC_READ_SEARCH; no network; only the
 * system calls it makes. Called by the reconciler, with names of containers: it builds every path itself.
 * Failures: what tenants put into their directories is hostile (tag.h). It may be killed at any time: a
 * request is repeated, and the next start makes ledger, kernel and directories agree (recovery.h). A ledger
 * that is torn or lost is made anew from the two others. Where the filesystem cannot, the answer is
 * NotSupported, with what would help. */
#include "lib/api/quota_keeper.h"
#include "lib/service/service.h"
#include "quota-keeper/manager.h"
#include "quota-keeper/methods.h"

static const char *const failpoints[] = {
    "registry.allocated", /* an id is chosen, or let go; nothing is written */
    "projects.staged",    /* the new text of /etc/projects or projid lies beside it */
    "projects.exchanged", /* it has the file's name; what came out was not looked at yet */
    "projects.merged",    /* the file is as it should be; what was staged still lies there */
    "ledger.before_save", /* the files in /etc know the change, the ledger does not */
    "ledger.saved",       /* the ledger knows it, the kernel does not */
    "limits.set",         /* the kernel has new limits */
    "tag.entry",          /* one more file carries its project */
    "tag.contents",       /* all but the directory at the top do */
    "tag.done",           /* all of it does */
    "remove.lifted",      /* the limits are lifted, the project is still there */
    "remove.untagged",    /* nothing carries the project any more, the ledger still has it */
    NULL,
};

/* Beside what every process needs. Neither exec nor connect is among them. */
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
