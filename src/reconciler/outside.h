/* Fills 'struct outside' for a process: with its event loop, the disk and Varlink calls. */
#pragma once

#include "reconciler/model/outside.h"

struct process_outside {
    struct outside outside; /* first */
    struct clock clock;
    sd_event *event; /* borrowed */
};

/* 'p' must stay at its address; its clock uses 'event'. */
void process_outside_init(struct process_outside *p, sd_event *event);
