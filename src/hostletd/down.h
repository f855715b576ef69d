/* Answers calls in place of a service that is down or given up. */
#pragma once

#include "hostletd/service.h"

/* Answers every call with ServiceDown and the reason, in place of a service that is down or given up.
 */
void service_answer_down(struct service *s);
void service_stop_answering(struct service *s);
