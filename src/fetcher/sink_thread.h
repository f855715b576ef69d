/* Runs the part of a sink that has a thread of its own. */
#pragma once

/* The thread of a sink. */
void *sink_thread(void *sink);
