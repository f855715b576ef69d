/* Runs the functions of packages.h in jobs: for the methods Publish and Unpublish, and at the start. */
#pragma once

#include "lib/varlink/server.h"
#include "provisioner/manager.h"

/* Starts a job that looks for publications that an earlier process did not complete, and completes them. */
void publisher_start(struct manager *manager);

/* Handle the methods Publish and Unpublish. */
int publisher_publish(struct varlink_call *call, const void *in, void *userdata, struct error *e);
int publisher_unpublish(struct varlink_call *call, const void *in, void *userdata, struct error *e);
