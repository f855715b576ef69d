/* Implements Watch, which sends the runtime's events to each watcher. */
#pragma once

#include "container-driver/manager.h"

int method_watch(struct varlink_call *call, const void *in, void *userdata, struct error *e);

/* Ends the streams of all watchers, which then call again and get a new snapshot. */
void watch_renew(struct manager *manager);
/* Sends an event to all watchers; a runtime_event_fn. */
void watch_event(const struct driver_event *event, void *userdata);
/* Sends all watchers a new snapshot, or the reason why no events arrive; a runtime_flow_fn. */
void watch_flow(const char *lost, void *userdata);
