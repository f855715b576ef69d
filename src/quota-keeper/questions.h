/* Answers the calls that change nothing: Get, List, Report and Info, the snapshot of a Watch, and the
 * check that the timer starts. */
#pragma once

#include "quota-keeper/manager.h"

/* QUESTION_WATCH reads the snapshot of a Watch; then watch.c keeps the call. QUESTION_CHECK reads all
 * levels and gives back ids whose data no longer exists. */
enum question_kind {
    QUESTION_GET,
    QUESTION_LIST,
    QUESTION_WATCH,
    QUESTION_REPORT,
    QUESTION_INFO,
    QUESTION_CHECK
};
void question_ask(struct manager *m, enum question_kind kind, struct varlink_call *call,
                  const char *container);
void questions_run(struct manager *m);
