/* The options that every process of the tree has: where the tree lies, the form of the log, readiness.
 *
 * A program's table of options begins with ARGUMENTS_OPTIONS and goes on with its own, whose values begin at
 * ARGUMENTS_OWN; its loop over getopt_long() handles what arguments_take() does not take. */
#pragma once

#include <getopt.h>

#include "lib/basic/log.h"

struct arguments {
    const char *prefix, *services, *libexec; /* NULL: the environment, or the system's places */
    enum log_format log_format;
    int notification_fd; /* −1: none */
};

#define ARGUMENTS_INIT                                                                                       \
    {                                                                                                        \
        .log_format = LOG_FORMAT_AUTO, .notification_fd = -1                                                 \
    }

enum {
    ARGUMENTS_PREFIX = 256,
    ARGUMENTS_SERVICES,
    ARGUMENTS_LIBEXEC,
    ARGUMENTS_LOG_FORMAT,
    ARGUMENTS_NOTIFICATION_FD,
    ARGUMENTS_FAILPOINTS,
    ARGUMENTS_VERSION,
    ARGUMENTS_OWN
};

#define ARGUMENTS_OPTIONS                                                                                    \
    {"prefix", required_argument, NULL, ARGUMENTS_PREFIX},                                                   \
        {"services", required_argument, NULL, ARGUMENTS_SERVICES},                                           \
        {"libexec", required_argument, NULL, ARGUMENTS_LIBEXEC},                                             \
        {"log-format", required_argument, NULL, ARGUMENTS_LOG_FORMAT},                                       \
        {"notification-fd", required_argument, NULL, ARGUMENTS_NOTIFICATION_FD},                             \
        {"failpoints", no_argument, NULL, ARGUMENTS_FAILPOINTS},                                             \
        {"version", no_argument, NULL, ARGUMENTS_VERSION},                                                   \
    {                                                                                                        \
        "help", no_argument, NULL, 'h'                                                                       \
    }

/* Takes an option that getopt_long() returned: true, and what it says is in *a. Prints the failpoints or the
 * version of the program 'name' and exits, or exits with EXIT_USAGE where a value is wrong. */
bool arguments_take(struct arguments *a, const char *name, int option);
/* Exits with EXIT_USAGE where something follows the options. */
void arguments_end(int argc, char **argv);
