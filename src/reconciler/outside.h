/* The world outside of model and engine, as a process has it. */
#pragma once

#include "reconciler/model/outside.h"

struct process_outside {
    struct outside outside; /* first */
    struct clock clock;
    sd_event *event; /* borrowed */
};

void process_outside_init(struct process_outside *p, sd_event *event);
