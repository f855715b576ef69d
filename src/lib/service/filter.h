/* The system calls that a service makes, and no others: a list in its table becomes a seccomp filter when it
 * is in its jail. */
#pragma once

#include "lib/basic/error.h"

struct service_filter {
    const char *const *calls; /* names; beside those that every service makes. Ends with NULL; a name that
                                 this machine's kernel interface does not know is passed over */
    int (*install)(const struct service_filter *filter, struct error *e);
};

/* For the service's table. Only services that name it are linked with libseccomp. A call that is not listed
 * kills the process (SIGSYS): what makes it is not our program any more. Threads that begin later have the
 * filter too. */
#define SERVICE_FILTER(list)                                                                                 \
    &(const struct service_filter)                                                                           \
    {                                                                                                        \
        .calls = list, .install = service_filter_install                                                     \
    }

int service_filter_install(const struct service_filter *filter, struct error *e);
