/* Implements zone_network.h. */
#include "reconciler/face/zone_network.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/api/net_keeper.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "reconciler/engine/call.h"

struct network_pass {
    struct manager *manager;
    struct varlink_call *call; /* NULL: the caller has hung up */
    struct varlink_request *request;
    struct reconciler_zone_out out;
};

static void pass_free(struct network_pass *pass)
{
    schema_done(varlink_find_method(&reconciler_interface, "PutZoneState")->out, &pass->out);
    free(pass);
}

static void on_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct network_pass *pass = userdata;
    const struct net_set_network_out *set = out;
    pass->manager->network_pass = NULL;
    for (size_t i = 0; set && i < set->n_problems; i++)
        schema_append_string(&pass->out.network_problems, &pass->out.n_network_problems, set->problems[i]);
    if (set)
        pass->out.changed |= set->changed;
    if (pass->call && e)
        varlink_error(pass->call, e);
    else if (pass->call)
        varlink_reply(pass->call, &pass->out);
    pass_free(pass);
}

/* net-keeper reads a request to its end although its caller has hung up. A newer network that were passed
 * meanwhile could be overtaken by the older one, so that the request is completed. */
static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct network_pass *pass = userdata;
    pass->call = NULL;
}

int zone_network_pass(struct manager *m, struct varlink_call *call, const struct reconciler_zone_in *wanted,
                      struct reconciler_zone_out *out, struct error *e)
{
    if (m->network_pass)
        return error_retry(e, EBUSY, "another network of the zone is being passed to net-keeper");
    if (wanted->network && wanted->no_network)
        return error_refuse(e, EINVAL, "/no_network: contradicts /network");
    struct network_pass *pass = m->network_pass = xcalloc(1, sizeof *pass);
    const struct net_set_network_in in = {.network = wanted->network};
    *pass = (struct network_pass){.manager = m, .call = call, .out = *out};
    *out = (struct reconciler_zone_out){.changed = false};
    varlink_call_on_gone(call, on_gone, pass);
    pass->request = manager_call(m, m->net_socket, &net_keeper_interface, "SetNetwork", &in, false,
                                 NETWORK_TIMEOUT, on_answer, pass);
    return 0;
}

void zone_network_stop(struct manager *m)
{
    struct network_pass *pass = m->network_pass;
    if (!pass)
        return;
    m->outside->cancel(m->outside, pass->request);
    if (pass->call)
        varlink_call_on_gone(pass->call, NULL, NULL);
    m->network_pass = NULL;
    pass_free(pass);
}
