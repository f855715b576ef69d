/* Binds the public socket of a service, VAR/hostlet/DIRECTORY/NAME, which every user of the machine can open,
 * and every container that has the directory mounted. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/loop/path_watch.h"
#include "lib/varlink/unix.h"

struct service;

struct public_socket {
    int fd; /* −1: not bound */
    struct unix_file file;
    sd_event_source *caller;
    struct path_watch *watch; /* of its directory */
    bool outdated;            /* the process listens on a socket that was bound again since */
};

/* Binds the socket if the service has one, and it is not bound or its path does not lead to it, and corrects
 * its rights. Returns 0, 1 when it bound the socket again or corrected the rights, or a negative errno. */
int public_bind(struct service *s, sd_event_io_handler_t on_caller, struct error *e);
/* Does the same after the directory was changed, and watches it again. */
int public_keep_bound(struct service *s, sd_event_io_handler_t on_caller, struct error *e);
void public_unbind(struct service *s);
/* Passes a socket that was bound again to the process. Returns 0 or a negative errno. */
int public_hand_over(struct service *s);
