/* Reads the options that every process of the tree has: the tree's directories, the log format, readiness.
 *
 * A program's option table begins with ARGUMENTS_OPTIONS, followed by its own options, whose values begin
 * at ARGUMENTS_OWN. Its loop over getopt_long() handles the options for which arguments_take() returns
 * false. */
#pragma once

#include <getopt.h>

#include "lib/basic/log.h"

struct arguments {
    const char *prefix, *services, *libexec; /* NULL: the environment or the system's directories decide */
    enum log_format log_format;
    int notification_fd; /* −1: no notification is sent */
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

/* Handles an option that getopt_long() returned and stores its value in *a. Returns false if the option is
 * none of ARGUMENTS_OPTIONS (--help is left to the program). For --failpoints and --version it prints the
 * list or the version of the program 'name' and exits; with a wrong value it exits with EXIT_USAGE. */
bool arguments_take(struct arguments *a, const char *name, int option);
/* Exits with EXIT_USAGE if an argument follows the options. */
void arguments_end(int argc, char **argv);
