/* net-keeper: makes the zone's network between machines.
 *
 * Job: stores the network that the reconciler received from the zone's leader, and makes the kernel agree
 * with it: the VXLAN device with its address, forwarding entries to the other machines, and routes to their
 * containers. It changes only what differs, and corrects within a second what another program changed.
 * Privileges: own user, CAP_NET_ADMIN, only the system calls that it makes. It owns VAR/hostlet/net-keeper.
 * Failures: it can be killed at any time: the next start compares the kernel with network.json. What the
 * network contains is judged; a part that contradicts itself or this machine is not made, and is reported. */
#include "lib/api/net_keeper.h"
#include "lib/basic/fs.h"
#include "lib/service/service.h"
#include "net-keeper/manager.h"
#include "net-keeper/methods.h"

static const char *const failpoints[] = {
    "network.before_save",  /* a call brought another network; network.json contains the old one */
    "network.saved",        /* network.json contains it; the kernel does not */
    "kernel.before_change", /* one of the changes is the next one */
    "kernel.changed",       /* one of the changes is made */
    "network.removed", /* everything of a network that was left is removed; network.json still states so */
    "records.before_write", /* the file of names is older than the network */
    NULL,
};

/* The system calls beyond those of every service, which are the list 'everyone' in lib/service/filter.c:
 * sockets of netlink, ICMP and TCP, what libnftables and the loader do, and the replacement of files. There
 * is no exec. */
static const char *const calls[] = {
    "socket", "bind",     "connect", "setsockopt", "ioctl",    "getdents64", "fsync",   "fchmod", "fchown",
    "rename", "renameat", "link",    "linkat",     "unlink",   "unlinkat",   "mkdirat", "mkdir",  "lstat",
    "stat",   "fstatfs",  "statfs",  "getcwd",     "sendmmsg", "fadvise64",  NULL};

static int before_jail(struct service_context *context, struct error *e)
{
    uid_t uid = service_uid(context);
    gid_t gid = service_gid(context);
    int r = give_dir_below(context->tree.var, "hostlet/net-keeper", uid, gid, 0700, e);
    return r < 0 ? r : records_make_place(&context->tree, context->config, uid, gid, e);
}

static const struct service_definition service = {
    .name = "net-keeper",
    .interface = &net_keeper_interface,
    .handlers = net_handlers,
    .failpoints = failpoints,
    .filter = SERVICE_FILTER(calls),
    .check = manager_check,
    .before_jail = before_jail,
    .start = manager_start,
    .stop = manager_stop,
};

int main(int argc, char **argv)
{
    return service_main(&service, argc, argv);
}
