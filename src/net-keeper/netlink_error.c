/* Implements netlink_error.h. */
#include "net-keeper/netlink_error.h"

#include <errno.h>
#include <netlink/errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Several numbers of errno have one of libnl: NLE_OBJ_NOTFOUND stands for ENOENT, ESRCH and ENXIO. */
static int errno_of(int nl_error)
{
    switch (nl_error < 0 ? -nl_error : nl_error) {
    case NLE_EXIST:
        return EEXIST;
    case NLE_OBJ_NOTFOUND:
    case NLE_NODEV:
    case NLE_NOADDR:
        return ENOENT;
    case NLE_PERM:
    case NLE_NOACCESS:
        return EPERM;
    case NLE_INVAL:
    case NLE_RANGE:
        return EINVAL;
    case NLE_OPNOTSUPP:
        return EOPNOTSUPP;
    case NLE_NOMEM:
        return ENOMEM;
    case NLE_BUSY:
        return EBUSY;
    case NLE_AGAIN:
        return EAGAIN;
    default:
        return EIO;
    }
}

int netlink_error(struct error *e, int nl_error, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return error_fail(e, errno_of(nl_error), "%s: %s", text, nl_geterror(nl_error));
}
