/* Implements report.h. */
#include "inagent/report.h"

#include <stdio.h>
#include <sys/utsname.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

/* Bytes of a report, which rpc-gateway accepts up to 64 KiB, that tasks may take. */
#define TASKS_ROOM ((size_t)48 << 10)

/* Returns the contract's part of a message: the words before the first colon. The caller frees it. */
static char *contract_words(const char *problem)
{
    const char *colon = strchr(problem, ':');
    return colon ? xstrndup(problem, (size_t)(colon - problem)) : xstrdup(problem);
}

static bool is_same_endpoint(const struct envelope *a, const struct envelope *b)
{
    return a->known && streq(a->url, b->url) && streq(a->secret, b->secret);
}

void report_loaded(struct report *report, struct envelope *envelope, const char *problem)
{
    int64_t now = now_realtime_msec();
    if (envelope->known) {
        if (!is_same_endpoint(&report->envelope, envelope)) {
            post_end(&report->post);
            report_time_renewed(&report->time, after_prefix(envelope->url, "unix:"));
        }
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

void report_application(struct report *report, const struct notify_state *state, uint64_t begun)
{
    struct application *to = &report->application;
    int64_t until = state->ready || state->extended_until <= begun
                        ? 0
                        : (int64_t)((state->extended_until - begun) / USEC_PER_MSEC);
    report->time.urgent |= to->ready != state->ready || until != to->ready_until;
    report->time.status_changed |= !streq(to->status, state->status);
    to->ready = state->ready;
    to->ready_until = until;
    memcpy(to->status, state->status, sizeof to->status);
}

void report_task(struct report *report, const struct task *task)
{
    report->time.tasks_changed = true;
    report->time.urgent |= task->runs_by_hand; /* a caller waits for it */
}

void report_request(struct report *report, const struct task *task)
{
    report->time.tasks_changed = true;
    report->time.urgent |= !task || task->request.state == REQUEST_REFUSED;
}

static bool has_endpoint(const struct report *report)
{
    return report->envelope.known && *report->envelope.url;
}

static void failed(struct report *report, const struct error *e, uint64_t now)
{
    bool first = report->time.failures == 0;
    uint64_t pause = report_time_failed(&report->time, now);
    if (first)
        log_warning("cannot report to hostlet: %s; retried in %.1f s, and then with growing pauses",
                    e->message, (double)pause / (double)USEC_PER_SEC);
}

static void begin(struct report *report, const struct plan *plan, uint64_t now)
{
    struct error e = ERROR_INIT;
    _cleanup_free_ char *body =
        stages_report(&report->stages, &report->application, task_report(plan, report->request, TASKS_ROOM),
                      report->envelope.instance, report->replica_id, now_realtime_msec());
    report_time_begun(&report->time);
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
        if (report->time.failures > 0)
            log_info("reports to hostlet succeed again");
        report_time_succeeded(&report->time, now);
        break;
    case POST_FAILED:
        failed(report, &e, now);
        break;
    }
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
    report->time.changed |= report->stages.changed;
    report->stages.changed = false;
    if (report->post.fd >= 0)
        go_on(report, now);
    if (report->post.fd < 0 && now >= report_time_due(&report->time)) {
        begin(report, plan, now);
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
    if (report->post.fd >= 0)
        return report->post.deadline;
    return has_endpoint(report) ? report_time_due(&report->time) : UINT64_MAX;
}

void report_end(struct report *report)
{
    post_end(&report->post);
    envelope_clear(&report->envelope);
}
