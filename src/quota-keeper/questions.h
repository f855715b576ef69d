/* Requests that only look. */
#pragma once

#include "quota-keeper/manager.h"

/* QUESTION_WATCH asks for the snapshot of a Watch, after which watch.c has the call. */
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
