/* Implements the methods of io.hostlet.Fetcher. */
#include "fetcher/methods.h"

#include <errno.h>

#include "fetcher/manager.h"

static int resolve(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return manager_resolve(userdata, call, in, e);
}

static int fetch(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct fetcher_fetch_in *f = in;
    return manager_fetch(userdata, call, f->package, e);
}

static void list_one(const struct fetcher_list_out *package, void *userdata)
{
    varlink_notify(userdata, package);
}

static int list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in;
    struct manager *m = userdata;
    const struct fetcher_list_out end = {0};
    if (!varlink_call_wants_more(call))
        return error_refuse(e, EINVAL, "List sends several replies: call it with \"more\"");
    int r = store_list(&m->fetcher.store, list_one, call, e);
    if (r >= 0)
        varlink_reply(call, &end);
    return r;
}

static int remove_package(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    const struct package_name_in *p = in;
    int r = manager_remove(userdata, p->name, p->id, e);
    if (r >= 0)
        varlink_reply(call, NULL);
    return r;
}

const struct varlink_handlers fetcher_handlers[] = {
    {"Resolve", resolve}, {"Fetch", fetch}, {"List", list}, {"Remove", remove_package}, {NULL, NULL},
};
