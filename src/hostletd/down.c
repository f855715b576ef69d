/* Implements down.h. */
#include "hostletd/down.h"

#include <errno.h>

#include "hostletd/reason.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

static void answer(struct error *e, void *userdata)
{
    const struct service *s = userdata;
    _cleanup_free_ char *reason = reason_of(s);
    const char *word = s->state != SERVICE_FAILED ? "is stopped"
                       : timer_armed(&s->timer)   ? "has failed"
                                                  : "is given up";
    error_set(e, ERROR_SERVICE_DOWN, ESHUTDOWN, "service '%s' %s%s%s", s->name, word, reason ? ": " : "",
              reason ?: "");
}

static bool peer_allowed(uid_t uid, gid_t gid, pid_t pid, void *userdata)
{
    (void)gid, (void)pid;
    const struct service *s = userdata;
    return service_conf_peer_allowed(s->conf, uid);
}

void service_answer_down(struct service *s)
{
    if (s->down || s->listen_fd < 0)
        return;
    struct varlink_server_options options = {.interface = &varlink_common_interface,
                                             .hooks_userdata = s,
                                             .peer_allowed = peer_allowed,
                                             .answer_all = answer};
    struct error e = ERROR_INIT;
    if (varlink_server_new(s->manager->event, &options, &s->down) < 0 ||
        varlink_server_listen(s->down, s->listen_fd, &e) < 0) {
        log_warning("cannot reply to callers of '%s' in its place: %s; they wait", s->name, e.message);
        service_stop_answering(s);
    }
}

void service_stop_answering(struct service *s)
{
    varlink_server_free(s->down);
    s->down = NULL;
}
