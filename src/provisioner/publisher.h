/* Publishing packages as requests and as housekeeping: what packages.h does, in jobs. */
#pragma once

#include "lib/varlink/server.h"
#include "provisioner/manager.h"

/* Begins to finish what an earlier process left. */
void publisher_start(struct manager *manager);

/* Handlers of the methods Publish and Unpublish. */
int publisher_publish(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int publisher_unpublish(struct varlink_call *call, const void *in, void *userdata, struct error *e);
