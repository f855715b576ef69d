/* Runs the part of a sink that has a thread of its own. */
#pragma once

/* Runs the thread of a sink. */
void *sink_thread(void *sink);
