/* Implements arguments.h. */
#include "lib/basic/arguments.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/util.h"

static int open_descriptor(const char *text)
{
    int64_t number;
    if (parse_int64(text, 0, 65535, &number) < 0 || fcntl((int)number, F_GETFD) < 0)
        fatal(EXIT_USAGE, "--notification-fd: '%s' is no open descriptor", text);
    return (int)number;
}

bool arguments_take(struct arguments *a, const char *name, int option)
{
    switch (option) {
    case ARGUMENTS_PREFIX:
        a->prefix = optarg;
        return true;
    case ARGUMENTS_SERVICES:
        a->services = optarg;
        return true;
    case ARGUMENTS_LIBEXEC:
        a->libexec = optarg;
        return true;
    case ARGUMENTS_LOG_FORMAT:
        if (log_format_from_string(optarg, &a->log_format) < 0)
            fatal(EXIT_USAGE, "--log-format: unknown format '%s'", optarg);
        return true;
    case ARGUMENTS_NOTIFICATION_FD:
        a->notification_fd = open_descriptor(optarg);
        return true;
    case ARGUMENTS_FAILPOINTS:
        failpoint_list();
        exit(EXIT_OK);
    case ARGUMENTS_VERSION:
        printf("%s (hostlet) %s\n", name, PACKAGE_VERSION);
        exit(EXIT_OK);
    default:
        return false;
    }
}

void arguments_end(int argc, char **argv)
{
    if (optind < argc)
        fatal(EXIT_USAGE, "unexpected argument '%s'", argv[optind]);
}
