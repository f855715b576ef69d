/* Watch: the runtime's events for whoever watches. */
#pragma once

#include "container-driver/manager.h"

int method_watch(struct varlink_call *call, const void *in, void *userdata, struct error *e);

/* Ends the streams of all who watch, who then get a new snapshot; and what the runtime's events are handed
 * to. */
void watch_renew(struct manager *manager);
void watch_event(const struct driver_event *event, void *userdata);
void watch_flow(const char *lost, void *userdata);
