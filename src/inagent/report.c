/* Implements report.h. */
#include "inagent/report.h"

#include <stdio.h>
#include <sys/utsname.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

#define HEARTBEAT_USEC (30 * USEC_PER_SEC)
#define RETRY_USEC     (10 * USEC_PER_SEC)
#define STATUS_USEC    (2 * USEC_PER_SEC)

/* Returns the contract's part of a message: the words before the first colon. The caller frees it. */
static char *contract_words(const char *problem)
{
    const char *colon = strchr(problem, ':');
    return colon ? xstrndup(problem, (size_t)(colon - problem)) : xstrdup(problem);
}

void report_loaded(struct report *report, struct envelope *envelope, const char *problem)
{
    int64_t now = now_realtime_msec();
    if (envelope->known) {
        envelope_clear(&report->envelope);
        report->envelope = *envelope;
        *envelope = (struct envelope){.known = false};
    }
    if (!report->envelope.known)
        return;
    stages_set_revision(&report->stages, report->envelope.revision, now);
    _cleanup_free_ char *words = contract_words(problem ?: "");
    stages_set(&report->stages, STAGE_LOAD, problem ? STAGE_FAILED : STAGE_SUCCESS, words, now);
}

void report_identify(struct report *report)
{
    struct utsname names;
    if (uname(&names) == 0)
        (void)snprintf(report->application.container, sizeof report->application.container, "%s",
                       names.nodename);
    random_hex(report->application.life, (sizeof report->application.life - 1) / 2);
}

void report_application(struct report *report, const struct notify_state *state, uint64_t begun, uint64_t now)
{
    struct application *to = &report->application;
    int64_t until = state->ready || state->extended_until <= begun
                        ? 0
                        : (int64_t)((state->extended_until - begun) / USEC_PER_MSEC);
    if (to->ready != state->ready || until != to->ready_until) {
        report->stages.changed = true;
        report->next = now;
    }
    report->status_changed |= !streq(to->status, state->status);
    to->ready = state->ready;
    to->ready_until = until;
    memcpy(to->status, state->status, sizeof to->status);
}

static bool has_endpoint(const struct report *report)
{
    return report->envelope.known && *report->envelope.url;
}

static void failed(struct report *report, const struct error *e, uint64_t now)
{
    report->stages.changed = true;
    report->next = now + RETRY_USEC;
    if (!report->failing)
        log_warning("cannot report to hostlet: %s; retried every %d s", e->message,
                    (int)(RETRY_USEC / USEC_PER_SEC));
    report->failing = true;
}

static void begin(struct report *report, uint64_t now)
{
    struct error e = ERROR_INIT;
    _cleanup_free_ char *body =
        stages_report(&report->stages, &report->application, report->envelope.instance, report->replica_id,
                      now_realtime_msec());
    report->stages.changed = report->status_changed = false;
    if (post_begin(&report->post, report->envelope.url, report->envelope.secret, body, now, &e) < 0)
        failed(report, &e, now);
}

static void go_on(struct report *report, uint64_t now)
{
    struct error e = ERROR_INIT;
    switch (post_step(&report->post, now, &e)) {
    case POST_WAITING:
        break;
    case POST_DONE:
        if (report->failing)
            log_info("reports to hostlet succeed again");
        report->failing = false;
        report->last_good = now;
        report->next = 0;
        break;
    case POST_FAILED:
        failed(report, &e, now);
        break;
    }
}

static uint64_t due(const struct report *report)
{
    if (!has_endpoint(report))
        return UINT64_MAX;
    if (report->stages.changed)
        return report->next;
    return report->last_good + (report->status_changed ? STATUS_USEC : HEARTBEAT_USEC);
}

void report_round(struct report *report, const struct plan *plan, uint64_t now)
{
    if (!has_endpoint(report))
        return;
    /* An unusable specification leaves the tasks of the previous one running. If it has another revision,
     * their states are not reported. */
    const struct stage *stage = report->stages.stages;
    if (stage[STAGE_LOAD].state == STAGE_SUCCESS || stage[STAGE_TASKS].state != STAGE_NONE)
        stages_set_tasks(&report->stages, plan, now_realtime_msec());
    if (report->post.fd >= 0)
        go_on(report, now);
    if (report->post.fd < 0 && now >= due(report)) {
        begin(report, now);
        if (report->post.fd >= 0)
            go_on(report, now);
    }
}

int report_fd(const struct report *report, short *ret_events)
{
    *ret_events = post_events(&report->post);
    return report->post.fd;
}

uint64_t report_wakeup(const struct report *report)
{
    return report->post.fd >= 0 ? report->post.deadline : due(report);
}

void report_end(struct report *report)
{
    post_end(&report->post);
    envelope_clear(&report->envelope);
}
