/* The methods of io.hostlet.Gateway. */
#include "rpc-gateway/methods.h"

#include "rpc-gateway/manager.h"

static int info(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in, (void)e;
    struct gateway_info_out out;
    manager_info(userdata, &out);
    varlink_reply(call, &out);
    schema_done(varlink_find_method(&gateway_interface, "Info")->out, &out);
    return 0;
}

const struct varlink_handlers gateway_handlers[] = {{"Info", info}, {NULL, NULL}};
