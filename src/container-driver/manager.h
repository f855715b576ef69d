/* Declares the driver's state. */
#pragma once

#include "container-driver/runtime.h"
#include "lib/service/service.h"

struct watcher;
struct relay;

struct manager {
    sd_event *event;
    struct settings settings;
    struct runtime *runtime;
    struct watcher *watchers;
    bool flowing;         /* the runtime's events arrive */
    char *lost;           /* why they do not; NULL: not known, or they do */
    struct relay *relays; /* logs that are sent to clients */
};
