/* Restricts a service to a list of system calls by a seccomp filter, which the service installs after it has
 * entered its jail. */
#pragma once

#include "lib/basic/error.h"

struct service_filter {
    /* Names of system calls that are allowed besides those that every service makes; ends with NULL. A name
     * that libseccomp or the architecture does not know is ignored. */
    const char *const *calls;
    int (*install)(const struct service_filter *filter, struct error *e);
};

/* Makes the filter for the table of a service. Only services that use it are linked with libseccomp. A call
 * that is not listed kills the process by SIGSYS, because it indicates that an attacker controls the process.
 * Threads that start later inherit the filter. */
#define SERVICE_FILTER(list)                                                                                 \
    &(const struct service_filter)                                                                           \
    {                                                                                                        \
        .calls = list, .install = service_filter_install                                                     \
    }

/* Installs the filter in the calling process. Returns 0 or a negative errno. */
int service_filter_install(const struct service_filter *filter, struct error *e);
