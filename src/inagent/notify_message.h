/* Parses the messages of sd_notify(3), which an application sends about itself. They are the tenant's input.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NOTIFY_MESSAGE_MAX 4096 /* bytes; longer ones are ignored, as by systemd */
#define NOTIFY_STATUS_MAX  256  /* bytes; a longer text is cut */

enum notify_watchdog { NOTIFY_WATCHDOG_NONE, NOTIFY_WATCHDOG_ALIVE, NOTIFY_WATCHDOG_TRIGGER };

/* Zero: the message does not contain it. */
struct notify_message {
    bool ready, reloading, stopping;
    enum notify_watchdog watchdog;
    bool has_watchdog_usec;
    uint64_t watchdog_usec; /* 0: no watchdog from now on */
    uint64_t extend_usec;   /* the time that the application asks for */
    pid_t main_pid;
    int error; /* an errno */
    bool has_status;
    char status[NOTIFY_STATUS_MAX + 1]; /* printable, whole characters */
};

/* Parses 'size' bytes: lines NAME=VALUE. Lines of other names, or with a value that the name does not allow,
 * are ignored; of two lines with one name the last one is valid. Returns false if the message is too long,
 * empty, or has a NUL before its end. */
bool notify_message_parse(const char *data, size_t size, struct notify_message *ret);
