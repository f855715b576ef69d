/* Implements report_time.h. */
#include "inagent/report_time.h"

#include "lib/basic/util.h"

#define HEARTBEAT_USEC (30 * USEC_PER_SEC)
#define LOCAL_USEC     (3600 * USEC_PER_SEC)
#define STATUS_USEC    (2 * USEC_PER_SEC)
#define TASKS_USEC     (10 * USEC_PER_SEC)
#define LEAST_USEC     (500 * USEC_PER_MSEC)
#define DOUBLINGS_MAX  8
#define PRESSING_MAX   3

uint64_t report_time_due(const struct report_time *t)
{
    if (t->urgent)
        return 0;
    if (t->failures > 0)
        return t->next;
    if (t->changed)
        return t->last_good > 0 ? t->last_good + LEAST_USEC : 0;
    if (t->status_changed)
        return t->last_good + STATUS_USEC;
    if (t->tasks_changed)
        return t->last_good + TASKS_USEC;
    return t->last_good + (t->local && !t->again ? LOCAL_USEC : HEARTBEAT_USEC);
}

void report_time_begun(struct report_time *t)
{
    t->pressing |= t->urgent;
    t->again = t->urgent || t->changed || t->status_changed || t->tasks_changed || t->failures > 0;
    t->urgent = t->changed = t->status_changed = t->tasks_changed = false;
}

void report_time_succeeded(struct report_time *t, uint64_t now)
{
    t->failures = 0;
    t->pressing = false;
    t->last_good = now;
}

uint64_t report_time_failed(struct report_time *t, uint64_t now)
{
    unsigned most = t->pressing ? PRESSING_MAX : DOUBLINGS_MAX;
    unsigned doublings = t->failures < most ? t->failures : most;
    uint64_t pause = USEC_PER_SEC << doublings;
    uint16_t random;
    random_bytes(&random, sizeof random);
    pause = pause * 3 / 4 + pause / 2 * random / UINT16_MAX;
    t->failures++;
    t->next = now + pause;
    t->changed = true;
    return pause;
}

void report_time_renewed(struct report_time *t, bool local)
{
    *t = (struct report_time){.local = local, .changed = true};
}
