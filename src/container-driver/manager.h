/* The driver's state. */
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
    bool flowing;         /* the runtime's events flow */
    char *lost;           /* why they do not; NULL: not known, or they do */
    struct relay *relays; /* logs on their way to clients */
};
