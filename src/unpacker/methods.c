/* Implements the methods of io.hostlet.Unpacker; lib/api/unpacker.c documents them. */
#include "unpacker/methods.h"

#include "lib/api/package.h"
#include "unpacker/manager.h"

static int method_unpack(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return manager_unpack(userdata, in, call, e);
}

static int method_remove(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct package_name_in *q = in;
    return manager_remove(userdata, q->name, q->id, call, e);
}

static int method_list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    return manager_list(userdata, call, e);
}

const struct varlink_handlers unpacker_handlers[] = {
    {"Unpack", method_unpack},
    {"List", method_list},
    {"Remove", method_remove},
    {NULL, NULL},
};
